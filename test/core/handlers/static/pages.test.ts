import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createHandler } from '../../../../src/core/handlers/index.js';
import type { StaticTarget } from '../../../../src/core/handlers/static/index.js';
import { ask, type RawAnswer } from '../../../helpers/raw-http.js';
import { serve } from '../../../helpers/servers.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const BROWSER = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

async function start(t: TestContext, root: string, options: Partial<StaticTarget> = {}) {
  const { port } = await serve(t, await createHandler({ kind: 'static', root, ...options }));
  return (path: string, headers: Record<string, string> = {}): Promise<RawAnswer> =>
    ask(port, path, { headers });
}

function site(t: TestContext): string {
  return tempDir(t, {
    'index.html': '<p>app',
    'about.html': '<p>about',
    'docs/index.html': '<p>docs',
    'docs/intro.html': '<p>intro',
    'both.html': '<p>both, the page',
    'both/x.txt': 'both, the folder',
    'exact.html': '<p>exact, the page',
    exact: 'exact, the file',
    'empty/x.txt': 'x',
    'assets/app.js': 'app()',
    '404.html': '<p>nothing here',
    '.hidden/page.html': '<p>hidden',
  });
}

test('a single page answers for addresses of its own, and for nothing else', async (t) => {
  const get = await start(t, site(t), { singlePage: true });
  for (const path of [
    '/users/7',
    '/users/7/',
    '/users?x=.js',
    '/about',
    '/empty',
    '/empty/',
    '/v1.2/users',
  ]) {
    const answer = await get(path, BROWSER);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.text, '<p>app', path);
    assert.ok(answer.fields.some(([name, value]) => name === 'Vary' && value === 'Accept'));
  }
  for (const path of ['/assets/gone.js', '/gone.css', '/favicon.ico', '/john.doe', '/.env', '/.hidden/x']) {
    assert.equal((await get(path, BROWSER)).status, 404, path);
  }
  for (const accept of ['*/*', 'application/json', 'image/*', 'text/html;q=0', 'text/htmlx']) {
    assert.equal((await get('/users/7', { Accept: accept })).status, 404, accept);
  }
  assert.equal((await get('/users/7')).status, 404);
  assert.equal((await get('/about.html', BROWSER)).text, '<p>about');
  assert.equal((await get('/docs', BROWSER)).header('location'), '/docs/');
  assert.equal((await get('/docs/', BROWSER)).text, '<p>docs');
  const etag = (await get('/users/7', BROWSER)).header('etag') ?? '';
  assert.equal((await get('/users/8', { ...BROWSER, 'If-None-Match': etag })).status, 304);
});

test('a single page that is gone leaves a 404', async (t) => {
  const root = site(t);
  const get = await start(t, root, { singlePage: true });
  rmSync(join(root, 'index.html'));
  for (const path of ['/', '/users']) assert.equal((await get(path, BROWSER)).status, 404);
});

test('clean addresses answer with pages, and pages are sent to their clean address', async (t) => {
  const get = await start(t, site(t), { cleanUrls: true });
  assert.equal((await get('/about')).text, '<p>about');
  assert.equal((await get('/about')).header('content-type'), 'text/html; charset=utf-8');
  assert.equal((await get('/docs/intro')).text, '<p>intro');
  const moved: Record<string, string> = {
    '/about.html': '/about',
    '/about.html?a=b&c=//evil.com': '/about?a=b&c=//evil.com',
    '//about.html': '/about',
    '/docs/..//about.html': '/about',
    '/index.html': '/',
    '/docs/index.html?x': '/docs/?x',
    '/docs': '/docs/',
    '/both.html': '/both',
  };
  for (const [from, to] of Object.entries(moved)) {
    const answer = await get(from);
    assert.equal(answer.status, 301, from);
    assert.equal(answer.header('location'), to, from);
  }
  assert.equal((await get('/both')).text, '<p>both, the page');
  assert.match((await get('/both/')).text, /Index of/);
  assert.equal((await get('/exact')).text, 'exact, the file');
  assert.equal((await get('/exact.html')).text, '<p>exact, the page');
  for (const path of ['/about/', '/none', '/none.html', '/.hidden/page', '/.html', '/docs/.html']) {
    assert.equal((await get(path)).status, 404, path);
  }
});

test('a clean address never turns into another path or site', async (t) => {
  const root = tempDir(t, { '..html': 'dots', '.html': 'bare', 'a/...html': 'x', 'evil.com.html': 'evil' });
  const get = await start(t, root, { cleanUrls: true, showHidden: true });
  for (const path of ['/..html', '/.html', '/a/...html']) assert.equal((await get(path)).status, 200, path);
  for (const path of ['//evil.com.html', '/%2fevil.com.html', '/x/..%2f/evil.com.html']) {
    assert.equal((await get(path)).header('location'), '/evil.com', path);
  }
});

test('a page of your own says what is not there, with status 404 and nothing to revalidate', async (t) => {
  const root = site(t);
  const get = await start(t, root, { notFoundPage: '404.html' });
  for (const path of ['/none', '/none/', '/.hidden/page.html', '/../x', '/assets/gone.js']) {
    const answer = await get(path);
    assert.equal(answer.status, 404, path);
    assert.equal(answer.text, '<p>nothing here', path);
    assert.equal(answer.header('content-type'), 'text/html; charset=utf-8');
    assert.equal(answer.header('cache-control'), 'no-cache');
    for (const name of ['etag', 'last-modified', 'accept-ranges'])
      assert.equal(answer.header(name), undefined);
  }
  const conditions = [{ 'If-None-Match': '*' }, { Range: 'bytes=0-1' }, { 'If-Match': '"x"' }];
  for (const headers of conditions) {
    const answer = await get('/none', headers);
    assert.equal(answer.status, 404);
    assert.equal(answer.text, '<p>nothing here');
  }
  assert.equal((await get('/404.html')).status, 200);
  writeFileSync(join(root, '404.html'), 'changed '.repeat(1000));
  const compressed = await get('/none', { 'Accept-Encoding': 'gzip' });
  assert.equal(compressed.status, 404);
  assert.equal(gunzipSync(compressed.body).toString(), 'changed '.repeat(1000));
  rmSync(join(root, '404.html'));
  assert.match((await get('/none')).text, /^404 Not Found/);
});

test('the page for 404 may lie elsewhere, and also answers missing assets of a single page', async (t) => {
  const elsewhere = tempDir(t, { 'lost.txt': 'lost' });
  const notFoundPage = join(elsewhere, 'lost.txt');
  const get = await start(t, site(t), { notFoundPage, singlePage: true });
  const answer = await get('/gone.js', BROWSER);
  assert.equal(answer.status, 404);
  assert.equal(answer.text, 'lost');
  assert.equal(answer.header('content-type'), 'text/plain; charset=utf-8');
  assert.equal((await get('/users', BROWSER)).text, '<p>app');
  assert.equal((await get('/lost.txt')).status, 404);
});

test('a page for 404 that is not there is told at the start', async (t) => {
  const root = site(t);
  for (const notFoundPage of ['none.html', '../x', '/none/none.html', 'docs', root]) {
    await assert.rejects(createHandler({ kind: 'static', root, notFoundPage }), { code: 'INPUT_FAILED' });
  }
});

test('other names may answer for their folder, the first that is there', async (t) => {
  const root = tempDir(t, {
    'a/home.htm': 'home',
    'a/index.txt': 'index',
    'b/index.txt': 'b',
    'c/index.html': 'c',
  });
  const get = await start(t, root, { indexNames: ['home.htm', 'index.txt'], listing: false });
  assert.equal((await get('/a/')).text, 'home');
  assert.equal((await get('/b/')).text, 'b');
  assert.equal((await get('/c/')).status, 404);
  assert.equal((await get('/b')).status, 301);
  assert.equal((await get('/c')).status, 404);
});

test('how long files are kept is up to the owner', async (t) => {
  const root = tempDir(t, { 'a.txt': 'a', 'app.3f2a9c1b.js': 'b' });
  const policy = async (cache: StaticTarget['cache'], path: string) => {
    const get = await start(t, root, cache === undefined ? {} : { cache });
    return (await get(path)).header('cache-control');
  };
  assert.equal(await policy(undefined, '/a.txt'), 'no-cache');
  assert.equal(await policy(undefined, '/app.3f2a9c1b.js'), 'max-age=31536000, immutable');
  assert.equal(await policy(3600, '/app.3f2a9c1b.js'), 'max-age=3600');
  assert.equal(await policy('no-store', '/a.txt'), 'no-store');
});
