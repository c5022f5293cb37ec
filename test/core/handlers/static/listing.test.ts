import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createStaticHandler, type StaticTarget } from '../../../../src/core/handlers/static/index.js';
import { isWindows } from '../../../../src/core/platform/os.js';
import { ask } from '../../../helpers/raw-http.js';
import { serve } from '../../../helpers/servers.js';
import { countDescriptors, tempDir } from '../../../helpers/temp-dir.js';

const JSON_WANTED = { headers: { Accept: 'application/json' } };

async function start(t: TestContext, root: string, options: Partial<StaticTarget> = {}): Promise<number> {
  return (await serve(t, await createStaticHandler({ kind: 'static', root, ...options }))).port;
}

async function names(port: number, path = '/'): Promise<string[]> {
  const { entries } = JSON.parse((await ask(port, path, JSON_WANTED)).text);
  return entries.map(({ name }: { name: string }) => name);
}

test('a listing is JSON for those who ask for it', async (t) => {
  const root = tempDir(t, { 'sub/file.txt': 'twelve bytes', 'sub/folder/x': '' });
  utimesSync(join(root, 'sub/file.txt'), 1_700_000_000, 1_700_000_000);
  utimesSync(join(root, 'sub/folder'), 1_700_000_000, 1_700_000_000);
  const answer = await ask(await start(t, root), '/sub/', JSON_WANTED);
  const modified = '2023-11-14T22:13:20.000Z';
  assert.equal(answer.header('content-type'), 'application/json; charset=utf-8');
  assert.equal(answer.header('vary'), 'Accept');
  assert.deepEqual(JSON.parse(answer.text), {
    path: '/sub/',
    entries: [
      { name: 'folder', type: 'directory', sizeBytes: null, modified },
      { name: 'file.txt', type: 'file', sizeBytes: 12, modified },
    ],
  });
});

test('a listing is a page for everyone else: sizes, dates, a way up, its own script and no other', async (t) => {
  const root = tempDir(t, { 'a b/c/file.txt': 'x'.repeat(5 * 1024) });
  utimesSync(join(root, 'a b/c/file.txt'), 1_700_000_000, 1_700_000_000);
  const answer = await ask(await start(t, root), '/a%20b/c/');
  assert.equal(answer.header('content-type'), 'text/html; charset=utf-8');
  assert.match(
    answer.header('content-security-policy') ?? '',
    /^default-src 'none'; style-src 'unsafe-inline'/,
  );
  assert.match(answer.text, /<a href="\.\.\/">(?:<svg.*?<\/svg>)?\.\.\/<\/a>/);
  assert.match(answer.text, /<a href="\.\.\/\.\.\/">\/<\/a><a href="\.\.\/"><bdi>a b<\/bdi><\/a>/);
  assert.match(answer.text, /<a href="\.\/file\.txt"><svg.*?<\/svg><bdi>file\.txt<\/bdi><\/a>/);
  assert.match(answer.text, /5\.0 KiB/);
  assert.match(answer.text, /2023-11-14 22:13/);
  const scripts = [...answer.text.matchAll(/<script>(.*?)<\/script>/gs)];
  const hash = createHash('sha256')
    .update(scripts[0]?.[1] ?? '')
    .digest('base64');
  assert.equal(scripts.length, 1);
  assert.equal(answer.text.split('<script').length, 2);
  assert.ok(answer.header('content-security-policy')?.includes(`script-src 'sha256-${hash}'`));
});

test('folders come first, and numbers in names count as numbers', async (t) => {
  const root = tempDir(t, { 'b10.txt': '', 'b9.txt': '', 'A.txt': '', 'z/x': '', 'y/x': '' });
  assert.deepEqual(await names(await start(t, root)), ['y', 'z', 'A.txt', 'b9.txt', 'b10.txt']);
});

test('hostile names are text, in the page and in its links', { skip: isWindows }, async (t) => {
  const hostile = [
    '<img src=x onerror=alert(1)>',
    '" onmouseover="alert(1)',
    'javascript:alert(1)',
    '&lt;',
    "'",
    'a#b?c%20',
  ];
  const root = tempDir(t, Object.fromEntries(hostile.map((name) => [name, name])));
  const port = await start(t, root);
  const { text } = await ask(port, '/');
  assert.ok(!text.includes('<img') && !text.includes('" onmouseover') && !text.includes('href="javascript'));
  for (const [, href] of text.matchAll(/href="\.\/([^"]+)"/g)) {
    const name = decodeURIComponent((href as string).replaceAll('&#39;', "'"));
    assert.ok(hostile.includes(name), name);
    assert.equal((await ask(port, `/${href?.replaceAll('&#39;', "'")}`)).text, name);
  }
  assert.deepEqual((await names(port)).sort(), hostile.toSorted());
});

test('the path of the folder itself is escaped too', { skip: isWindows }, async (t) => {
  const root = tempDir(t, { '<b>x</b>/file': '' });
  const { text } = await ask(await start(t, root), '/%3Cb%3Ex%3C%2Fb%3E/');
  assert.ok(!text.includes('<b>'));
});

test('bad entries do not break a listing and are offered to nobody', { skip: isWindows }, async (t) => {
  const folder = tempDir(t, { 'site/good.txt': 'x', 'out/secret': 'y' });
  const root = join(folder, 'site');
  symlinkSync('nowhere', join(root, 'dangling'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync('../out/secret', join(root, 'leaving'));
  symlinkSync('good.txt', join(root, 'staying'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/bad`), Buffer.from([0xff])]), '');
  const port = await start(t, root);
  const { entries } = JSON.parse((await ask(port, '/', JSON_WANTED)).text);
  const types = Object.fromEntries(
    entries.map((entry: { name: string; type: string }) => [entry.name, entry.type]),
  );
  assert.deepEqual(types, {
    'good.txt': 'file',
    staying: 'file',
    dangling: 'other',
    loop: 'other',
    leaving: 'other',
    fifo: 'other',
    'bad\ufffd': 'other',
  });
  const leaving = entries.find((entry: { name: string }) => entry.name === 'leaving');
  assert.deepEqual([leaving.sizeBytes, leaving.modified], [null, null]);
  const { text } = await ask(port, '/');
  assert.ok(!text.includes('href="./dangling"') && !text.includes('href="./leaving"'));
  assert.equal((await ask(port, '/bad%ff')).status, 404);
});

test('hidden names are listed only when they are served', async (t) => {
  const root = tempDir(t, { '.env': '', 'a.txt': '', '.well-known/x': '' });
  assert.deepEqual(await names(await start(t, root)), ['.well-known', 'a.txt']);
  assert.deepEqual(await names(await start(t, root, { showHidden: true })), ['.well-known', '.env', 'a.txt']);
});

test('without listings a folder with no index page is 404', async (t) => {
  const port = await start(t, tempDir(t, { 'a.txt': '', 'site/index.html': 'home' }), { listing: false });
  assert.equal((await ask(port, '/')).status, 404);
  assert.equal((await ask(port, '/site/')).text, 'home');
});

test('a folder of thousands is listed whole, and listing leaves no descriptor open', async (t) => {
  const root = tempDir(t);
  mkdirSync(join(root, 'many'));
  for (let count = 0; count < 2000; count += 1) writeFileSync(join(root, 'many', `file-${count}`), '');
  const port = await start(t, root);
  assert.equal((await names(port, '/many/')).length, 2000);
  const before = countDescriptors();
  for (let count = 0; count < 20; count += 1) await ask(port, '/many/', { method: 'HEAD' });
  const after = countDescriptors();
  if (before !== undefined && after !== undefined) assert.ok(after <= before + 2, `${before} → ${after}`);
});

/** The names on a page in their order. */
async function shown(port: number, target: string): Promise<string[]> {
  const { text } = await ask(port, target);
  return [...text.matchAll(/<bdi>([^<]*)<\/bdi><\/a><\/td>/g)].map(([, name]) => name as string);
}

function sizedSite(t: TestContext): string {
  const root = tempDir(t, { 'b.txt': '12', 'a.txt': '1', 'c.txt': '123', 'z/x': '' });
  for (const [name, time] of [
    ['a.txt', 300],
    ['b.txt', 100],
    ['c.txt', 200],
  ] as const) {
    utimesSync(join(root, name), time, time);
  }
  return root;
}

test('a listing is sorted as the query says, without script and in JSON too', async (t) => {
  const port = await start(t, sizedSite(t));
  const files = async (query: string) => (await names(port, `/${query}`)).join(' ');
  assert.equal(await files(''), 'z a.txt b.txt c.txt');
  assert.equal(await files('?sort=name&order=desc'), 'z c.txt b.txt a.txt');
  assert.equal(await files('?sort=size'), 'z c.txt b.txt a.txt');
  assert.equal(await files('?sort=size&order=asc'), 'z a.txt b.txt c.txt');
  assert.equal(await files('?sort=date'), 'z a.txt c.txt b.txt');
  assert.equal(await files('?sort=<script>&order=up'), 'z a.txt b.txt c.txt');
  assert.deepEqual(await shown(port, '/?sort=date&order=asc'), ['b.txt', 'c.txt', 'a.txt']);
});

test('the headings link to the other orders and say which one it is', async (t) => {
  const port = await start(t, sizedSite(t));
  const { text } = await ask(port, '/?sort=size&search=x');
  assert.match(
    text,
    /data-sort="size"[^>]* aria-sort="descending"><a href="\?sort=size&amp;order=asc&amp;search=x">/,
  );
  assert.match(text, /data-sort="name"><a href="\?sort=name&amp;order=asc&amp;search=x">/);
});

test('what listings are sorted by can be set, and the query still wins', async (t) => {
  const port = await start(t, sizedSite(t), { features: { sort: 'size' } });
  assert.deepEqual(await names(port), ['z', 'c.txt', 'b.txt', 'a.txt']);
  assert.deepEqual(await names(port, '/?sort=name'), ['z', 'a.txt', 'b.txt', 'c.txt']);
});

test('a search finds names without regard to case, and is shown escaped', async (t) => {
  const port = await start(t, tempDir(t, { 'Report.pdf': '', 'old-report.txt': '', 'other.txt': '' }));
  assert.deepEqual(await names(port, '/?search=REPORT'), ['old-report.txt', 'Report.pdf']);
  assert.deepEqual(await names(port, '/?search=nothing'), []);
  const { text } = await ask(port, '/?search=%22%3E%3Cscript%3Ex');
  assert.ok(text.includes('value="&quot;&gt;&lt;script&gt;x"') && !text.includes('"><script>x'));
});

test('a folder of thousands is shown a page at a time, sorted as a whole', async (t) => {
  const root = tempDir(t);
  for (let count = 1; count <= 2500; count += 1) writeFileSync(join(root, `file-${count}`), '');
  const port = await start(t, root);
  const pages = await Promise.all(['/', '/?page=2', '/?page=3'].map((target) => shown(port, target)));
  assert.deepEqual(
    pages.map((page) => [page.length, page[0]]),
    [
      [1000, 'file-1'],
      [1000, 'file-1001'],
      [500, 'file-2001'],
    ],
  );
  const { text } = await ask(port, '/?page=2&order=desc');
  assert.match(text, /rel="prev" href="\?sort=name&amp;order=desc"/);
  assert.match(text, /rel="next" href="\?sort=name&amp;order=desc&amp;page=3"/);
  assert.match(text, /2500 entries/);
  assert.deepEqual(await shown(port, '/?page=99'), []);
});

test('the README of a folder is shown as text, the Markdown one first', async (t) => {
  const root = tempDir(t, {
    'readme.txt': 'plain',
    'README.md': '# Title\n<script>alert(1)</script> & "more"',
    'long/README': 'é'.repeat(100_000),
    'none/x': '',
  });
  const port = await start(t, root);
  const { text } = await ask(port, '/');
  assert.ok(text.includes('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;'));
  assert.ok(!text.includes('<script>alert') && !text.includes('plain'));
  const long = (await ask(port, '/long/')).text;
  assert.ok(long.includes('é'.repeat(30_000)) && long.includes('the whole file') && !long.includes('\ufffd'));
  assert.ok(!(await ask(port, '/none/')).text.includes('class="readme"'));
});

test('a README that is a link out of the folder is not shown', { skip: isWindows }, async (t) => {
  const folder = tempDir(t, { 'site/x': '', secret: 'not for you' });
  symlinkSync('../secret', join(folder, 'site/README.md'));
  const { text } = await ask(await start(t, join(folder, 'site')), '/');
  assert.ok(!text.includes('not for you'));
});
