import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHandler } from '../../../../src/core/handlers/index.js';
import type { StaticTarget } from '../../../../src/core/handlers/static/index.js';
import { isWindows } from '../../../../src/core/platform/os.js';
import { testHandlerContract } from '../../../helpers/handler-contract.js';
import { ask, exchange, parseAnswer } from '../../../helpers/raw-http.js';
import { serve } from '../../../helpers/servers.js';
import { countDescriptors, tempDir } from '../../../helpers/temp-dir.js';

const LARGE = 20_000_000;

testHandlerContract('the static handler', {
  create: (t) =>
    createHandler({
      kind: 'static',
      root: tempDir(t, { 'small.txt': 'small', 'large.bin': Buffer.alloc(LARGE) }),
    }),
  small: { path: '/small.txt', body: 'small' },
  large: { path: '/large.bin', sizeBytes: LARGE },
  missing: '/missing.txt',
});

async function start(t: TestContext, root: string, options: Partial<StaticTarget> = {}): Promise<number> {
  return (await serve(t, await createHandler({ kind: 'static', root, ...options }))).port;
}

/** A site with something to steal beside it. */
function siteWithSecrets(t: TestContext): string {
  const folder = tempDir(t, {
    'site/index.html': '<h1>home</h1>',
    'site/file.txt': 'public',
    'site/sub/inner.txt': 'inner',
    'site/.env': 'SECRET',
    'site/.git/config': 'SECRET',
    'site/sub/.hidden': 'SECRET',
    'site/.well-known/acme': 'token',
    'site-private/key': 'SECRET',
    'out/key': 'SECRET',
    secret: 'SECRET',
  });
  symlinkSync('../out', join(folder, 'site/link-out'));
  symlinkSync('../secret', join(folder, 'site/file-out'));
  return join(folder, 'site');
}

test('a file comes with its type, size and validators, to be asked about again', async (t) => {
  const port = await start(t, tempDir(t, { 'page.html': 'grüezi' }));
  const answer = await ask(port, '/page.html');
  assert.equal(answer.status, 200);
  assert.equal(answer.text, 'grüezi');
  assert.equal(answer.header('content-type'), 'text/html; charset=utf-8');
  assert.equal(answer.header('content-length'), '7');
  assert.match(answer.header('etag') ?? '', /^"[^"]+"$/);
  assert.match(answer.header('last-modified') ?? '', / GMT$/);
  assert.equal(answer.header('cache-control'), 'no-cache');
  assert.equal(answer.header('accept-ranges'), 'bytes');
  assert.equal(answer.header('x-content-type-options'), 'nosniff');
});

test('an empty file, a medium one and names in any script are served whole', async (t) => {
  const medium = Buffer.alloc(300_000, 'm');
  const port = await start(t, tempDir(t, { empty: '', medium, '你好 wörld.txt': 'x' }));
  assert.equal((await ask(port, '/empty')).header('content-length'), '0');
  assert.deepEqual((await ask(port, '/medium')).body, medium);
  assert.equal((await ask(port, `/${encodeURIComponent('你好 wörld.txt')}`)).text, 'x');
});

test('a folder answers with its index.html', async (t) => {
  const port = await start(t, siteWithSecrets(t));
  const answer = await ask(port, '/');
  assert.equal(answer.text, '<h1>home</h1>');
  assert.equal(answer.header('content-type'), 'text/html; charset=utf-8');
});

test('an index.html that is a folder or leads outside is none', async (t) => {
  const folder = tempDir(t, { 'site/a/index.html/x': '', secret: 'SECRET' });
  mkdirSync(join(folder, 'site/b'));
  symlinkSync('../../secret', join(folder, 'site/b/index.html'));
  const port = await start(t, join(folder, 'site'));
  for (const path of ['/a/', '/b/']) {
    const answer = await ask(port, path);
    assert.match(answer.text, /Index of/);
    assert.ok(!answer.text.includes('SECRET'));
  }
});

test('a folder without its slash is redirected, its query kept, and never to another site', async (t) => {
  const port = await start(t, tempDir(t, { 'sub dir/x': '', 'evil.com/x': '' }));
  const location = async (target: string) => {
    const answer = await ask(port, target);
    assert.equal(answer.status, 301, target);
    return answer.header('location');
  };
  assert.equal(await location('/sub%20dir?a=b&c=//d'), '/sub%20dir/?a=b&c=//d');
  for (const target of [
    '/evil.com',
    '//evil.com',
    '//evil.com/.//..%2fevil.com',
    '/x/..//evil.com',
    '/%2fevil.com',
  ]) {
    assert.equal(await location(target), '/evil.com/', target);
  }
  assert.equal(await location('http://other/evil.com'), '/evil.com/');
  for (const target of ['/\\evil.com', '/%5cevil.com', '/%09/evil.com/..']) {
    assert.notEqual((await ask(port, target)).status, 301, target);
  }
});

test('a file with a slash behind it does not exist', async (t) => {
  const port = await start(t, siteWithSecrets(t));
  for (const target of ['/file.txt/', '/file.txt/.', '/file.txt/x', '/file.txt%2f']) {
    assert.equal((await ask(port, target)).status, 404, target);
  }
  assert.equal((await ask(port, '/file.txt/../file.txt')).status, 200);
});

const TRAVERSALS = [
  '/../secret',
  '/%2e%2e/secret',
  '/..%2fsecret',
  '/%2e%2e%2fsecret',
  '/.%2e/secret',
  '/%252e%252e/secret',
  '/sub/../../secret',
  '/sub/..%2f..%2fsecret',
  '/..\\secret',
  '/..%5csecret',
  '/../site-private/key',
  '/..%2fsite-private/key',
  '/-private/key',
  '//../secret',
  '/././../secret',
  '/%c0%ae%c0%ae/secret',
  '/%uff0e%uff0e/secret',
  '/..;/secret',
  '/..%00/secret',
  '/link-out/key',
  '/link-out',
  '/link-out/',
  '/link-out/../secret',
  '/file-out',
  '/.env',
  '/.env/',
  '/.env/.',
  '/%2eenv',
  '//.env',
  '/./.env',
  '/sub/../.env',
  '/sub/..%2f.env',
  '/.ENV',
  '/.git/config',
  '/sub/.hidden',
  '/.well-known/../.env',
  '/.well-known/..%2f.git/config',
  '/proc/self/environ',
  '/etc/passwd',
  'http://x/../secret',
  'file:///etc/passwd',
];

test('no spelling of a path leads outside the folder or to a hidden file', async (t) => {
  const port = await start(t, siteWithSecrets(t));
  for (const target of TRAVERSALS) {
    const { status, text } = await ask(port, target);
    assert.ok(status === 404 || status === 400, `${target}: ${status}`);
    assert.ok(!text.includes('SECRET') && !text.includes('site'), target);
  }
  assert.equal((await ask(port, '/.well-known/acme')).text, 'token');
  assert.equal((await ask(port, '/file.txt')).text, 'public');
});

test('hidden files and links that leave the folder are served when asked for', async (t) => {
  const root = siteWithSecrets(t);
  const hidden = await start(t, root, { showHidden: true });
  assert.equal((await ask(hidden, '/.env')).status, 200);
  assert.equal((await ask(hidden, '/link-out/key')).status, 404);
  const following = await start(t, root, { followLinks: true });
  assert.equal((await ask(following, '/link-out/key')).status, 200);
  assert.equal((await ask(following, '/.env')).status, 404);
  assert.equal((await ask(following, '/../secret')).status, 404);
});

test('a FIFO, asked for many times at once, stops nothing', { skip: isWindows }, async (t) => {
  const root = tempDir(t, { 'file.txt': 'x', 'large.bin': Buffer.alloc(200_000) });
  execFileSync('mkfifo', [join(root, 'fifo')]);
  const port = await start(t, root);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port, '/fifo')));
  assert.ok(answers.every(({ status }) => status === 404));
  assert.equal((await ask(port, '/large.bin')).body.length, 200_000);
});

test('a file that vanishes, and a folder that does, are 404 from then on', async (t) => {
  const root = tempDir(t, { 'file.txt': 'x', 'sub/file.txt': 'y' });
  const port = await start(t, root);
  assert.equal((await ask(port, '/file.txt')).status, 200);
  rmSync(join(root, 'file.txt'));
  rmSync(join(root, 'sub'), { recursive: true });
  for (const path of ['/file.txt', '/sub/', '/sub/file.txt'])
    assert.equal((await ask(port, path)).status, 404);
  rmSync(root, { recursive: true });
  assert.equal((await ask(port, '/')).status, 404);
});

test('a changed file is never answered with its old state', async (t) => {
  const root = tempDir(t, { 'file.txt': 'old' });
  const port = await start(t, root);
  const etag = (await ask(port, '/file.txt')).header('etag') ?? '';
  writeFileSync(join(root, 'file.txt'), 'new');
  utimesSync(join(root, 'file.txt'), 1_700_000_000, 1_700_000_000);
  const answer = await ask(port, '/file.txt', { headers: { 'If-None-Match': etag } });
  assert.equal(answer.text, 'new');
  truncateSync(join(root, 'file.txt'));
  assert.equal((await ask(port, '/file.txt')).text, '');
});

test('what has not changed is 304, without body and with its validators', async (t) => {
  const root = tempDir(t, { 'file.txt': 'x' });
  const port = await start(t, root);
  const first = await ask(port, '/file.txt');
  const etag = first.header('etag') ?? '';
  const since = first.header('last-modified') ?? '';
  const conditions = [
    { 'If-None-Match': `"x", W/${etag}` },
    { 'If-None-Match': '*' },
    { 'If-Modified-Since': since },
  ];
  for (const headers of conditions) {
    const answer = await ask(port, '/file.txt', { headers });
    assert.equal(answer.status, 304);
    assert.equal(answer.body.length, 0);
    assert.equal(answer.header('etag'), etag);
    assert.equal(answer.header('last-modified'), since);
    assert.equal(answer.header('cache-control'), 'no-cache');
  }
  assert.equal((await ask(port, '/file.txt', { headers: { 'If-Match': '"other"' } })).status, 412);
});

test('304s leave no descriptor open', async (t) => {
  const port = await start(t, tempDir(t, { 'large.bin': Buffer.alloc(200_000) }));
  const headers = { 'If-None-Match': '*' };
  await ask(port, '/large.bin', { headers });
  const before = countDescriptors();
  for (let count = 0; count < 50; count += 1) await ask(port, '/large.bin', { headers });
  for (let count = 0; count < 50; count += 1) await ask(port, '/large.bin', { method: 'HEAD' });
  const after = countDescriptors();
  if (before !== undefined && after !== undefined) assert.ok(after <= before + 2, `${before} → ${after}`);
});

test('a range is answered with just that part, also of a large file', async (t) => {
  const content = Buffer.from(Array.from({ length: 500_000 }, (_, index) => index % 251));
  const port = await start(t, tempDir(t, { 'file.bin': content }));
  const cases = [
    ['bytes=0-0', 0, 1],
    ['bytes=100-200099', 100, 200_100],
    ['bytes=-10', 499_990, 500_000],
    ['bytes=499999-18446744073709551616', 499_999, 500_000],
  ] as const;
  for (const [range, from, to] of cases) {
    const answer = await ask(port, '/file.bin', { headers: { Range: range } });
    assert.equal(answer.status, 206, range);
    assert.equal(answer.header('content-range'), `bytes ${from}-${to - 1}/500000`);
    assert.deepEqual(answer.body, content.subarray(from, to));
  }
});

test('a range nobody can satisfy is 416 with the size; one that makes no sense is ignored', async (t) => {
  const port = await start(t, tempDir(t, { 'file.txt': '0123456789', empty: '' }));
  const range = (value: string, path = '/file.txt') => ask(port, path, { headers: { Range: value } });
  const refused = await range('bytes=10-');
  assert.equal(refused.status, 416);
  assert.equal(refused.header('content-range'), 'bytes */10');
  assert.ok(!refused.text.includes('0123'));
  assert.equal((await range('bytes=0-', '/empty')).status, 416);
  for (const value of ['bytes=5-2', 'bytes=x', 'lines=0-1']) {
    assert.equal((await range(value)).text, '0123456789', value);
  }
});

test('If-Range gives the part of the same file, and the whole of a changed one', async (t) => {
  const port = await start(t, tempDir(t, { 'file.txt': '0123456789' }));
  const first = await ask(port, '/file.txt');
  const partly = async (condition: string) =>
    (await ask(port, '/file.txt', { headers: { Range: 'bytes=0-1', 'If-Range': condition } })).text;
  assert.equal(await partly(first.header('etag') ?? ''), '01');
  assert.equal(await partly(first.header('last-modified') ?? ''), '01');
  assert.equal(await partly('"other"'), '0123456789');
  assert.equal(await partly('Sun, 06 Nov 1994 08:49:37 GMT'), '0123456789');
});

test('a change in the future is told as of now', async (t) => {
  const root = tempDir(t, { 'file.txt': 'x' });
  utimesSync(join(root, 'file.txt'), 4_000_000_000, 4_000_000_000);
  const port = await start(t, root);
  const told = Date.parse((await ask(port, '/file.txt')).header('last-modified') ?? '');
  assert.ok(told <= Date.now());
  assert.equal(statSync(join(root, 'file.txt')).mtimeMs, 4_000_000_000_000);
});

test('other methods are 405 with those that work, OPTIONS says them', async (t) => {
  const port = await start(t, siteWithSecrets(t));
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE']) {
    const answer = await ask(port, '/file.txt', { method });
    assert.equal(answer.status, 405, method);
    assert.equal(answer.header('allow'), 'GET, HEAD, OPTIONS');
  }
  const options = await ask(port, '/file.txt', { method: 'OPTIONS' });
  assert.equal(options.status, 204);
  assert.equal(options.header('allow'), 'GET, HEAD, OPTIONS');
  assert.equal((await ask(port, '*', { method: 'OPTIONS' })).status, 204);
});

test('no error shows what was asked for or where the files lie', async (t) => {
  const root = siteWithSecrets(t);
  const port = await start(t, root);
  const headers = { Accept: 'text/html' };
  for (const target of ['/<script>x', '/%3Cscript%3Ex', `/${'n'.repeat(300)}`, '/%', '/none']) {
    const { text } = await ask(port, target, { headers });
    assert.ok(!text.includes('script') && !text.includes(root) && !text.includes('nnn'), target);
  }
});

test('one file answers at the root and at its name, and nothing beside it does', async (t) => {
  const folder = tempDir(t, { 'a b.html': 'this', 'other.txt': 'SECRET', '.dot': 'named' });
  const port = await start(t, join(folder, 'a b.html'));
  for (const path of ['/', '/a%20b.html']) {
    const answer = await ask(port, path);
    assert.equal(answer.text, 'this');
    assert.equal(answer.header('content-type'), 'text/html; charset=utf-8');
  }
  for (const path of ['/other.txt', '/a%20b.html/', '/x', '/..', '/a%20b.html/../other.txt']) {
    assert.ok(!(await ask(port, path)).text.includes('SECRET'), path);
  }
  assert.equal((await ask(await start(t, join(folder, '.dot')), '/.dot')).text, 'named');
});

test('a connection is kept for the next request', async (t) => {
  const port = await start(t, tempDir(t, { a: 'first', b: 'second' }));
  const request = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  const bytes = await exchange(port, request('/a') + request('/b', 'Connection: close\r\n'));
  const second = bytes.indexOf('HTTP/1.1', 1);
  assert.equal(parseAnswer(bytes.subarray(0, second)).text, 'first');
  assert.equal(parseAnswer(bytes.subarray(second)).text, 'second');
});
