import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createLiveReload } from '../../../../src/core/handlers/live/index.js';
import type { Handler } from '../../../../src/core/http/handler.js';
import type { HeaderList } from '../../../../src/core/http/messages.js';
import { serveFolder } from '../../../helpers/folder-server.js';
import { ask, open } from '../../../helpers/raw-http.js';
import { serve } from '../../../helpers/servers.js';
import { countDescriptors, tempDir } from '../../../helpers/temp-dir.js';

const SNIPPET =
  /\n<script src="\/\.nettool\/live\.js" data-version="([^"]+)" nonce="[^"]+" async><\/script>\n$/;

async function start(t: TestContext, files: Record<string, string | Uint8Array>, pollMs?: number) {
  const root = tempDir(t, files);
  const stop = new AbortController();
  const live = { signal: stop.signal, ...(pollMs !== undefined && { pollMs }) };
  return { ...(await serveFolder(t, root, { live })), root, stop };
}

/** The events of a stream, as they come. */
async function listen(t: TestContext, port: number) {
  const socket = await open(port, 'GET /.nettool/events HTTP/1.1\r\nHost: test\r\n\r\n');
  t.after(() => socket.destroy());
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  return {
    socket,
    async next(type: string): Promise<string> {
      for (;;) {
        const match = new RegExp(`event: ${type}\ndata: (.*)\n\n`).exec(text);
        if (match !== null) {
          text = text.slice(match.index + match[0].length);
          return match[1] as string;
        }
        await once(socket, 'data');
      }
    },
  };
}

test('an HTML answer ends with the script, its length and tag are those of what is sent', async (t) => {
  const page = `<!doctype html><p>${'x'.repeat(200_000)}</p>`;
  const { port } = await start(t, { 'index.html': page, 'small.html': '<p>', 'a.css': 'b{}' });
  const answer = await ask(port, '/');
  const [, version] = SNIPPET.exec(answer.text) ?? [];
  assert.ok(version !== undefined && answer.text.startsWith(page));
  assert.equal(Number(answer.header('content-length')), answer.body.length);
  assert.ok(answer.header('etag')?.endsWith(`-${version}"`));
  const head = await ask(port, '/', { method: 'HEAD' });
  assert.equal(head.header('content-length'), answer.header('content-length'));
  assert.match((await ask(port, '/small.html')).text, SNIPPET);
  assert.equal((await ask(port, '/a.css')).text, 'b{}');
  assert.match((await ask(port, '/missing', { headers: { Accept: 'text/html' } })).text, SNIPPET);
});

test('pages are revalidated by tags of the present state alone', async (t) => {
  const { port, root } = await start(t, { 'index.html': '<p>' });
  const events = await listen(t, port);
  await events.next('hello');
  const first = await ask(port, '/');
  const tag = first.header('etag') as string;
  const get = async (headers: Record<string, string>) => (await ask(port, '/', { headers })).status;
  assert.equal(await get({ 'If-None-Match': tag }), 304);
  assert.equal(await get({ 'If-None-Match': `"other", W/${tag}` }), 304);
  assert.equal(await get({ 'If-Modified-Since': first.header('last-modified') as string }), 200);
  // The tag of the file itself, from a time without live reload: that page had no script.
  assert.equal(await get({ 'If-None-Match': tag.replace(/-[^-]+"$/, '"') }), 200);
  writeFileSync(join(root, 'other.txt'), '');
  await events.next('change');
  assert.equal(await get({ 'If-None-Match': tag }), 200);
});

test('a part of a page is answered with the whole, a part of anything else with the part', async (t) => {
  const { port } = await start(t, { 'a.html': '<p>hello</p>', 'a.txt': 'hello' });
  const before = countDescriptors();
  const page = await ask(port, '/a.html', { headers: { Range: 'bytes=0-2' } });
  assert.deepEqual([page.status, SNIPPET.test(page.text)], [200, true]);
  const text = await ask(port, '/a.txt', { headers: { Range: 'bytes=0-2' } });
  assert.deepEqual([text.status, text.text], [206, 'hel']);
  const old = await ask(port, '/a.txt', { headers: { Range: 'bytes=0-2', 'If-Range': '"old"' } });
  assert.deepEqual([old.status, old.text], [200, 'hello']);
  assert.ok((countDescriptors() ?? 0) <= (before ?? 0) + 2);
});

test('any handler is kept up to date: streams, policies, long caching; what cannot take it is left alone', async (t) => {
  const answers: Record<string, { headers: HeaderList; body: string | Readable }> = {
    '/stream': { headers: [['Content-Type', 'text/html']], body: Readable.from(['<p>', 'streamed']) },
    '/policy': {
      headers: [
        ['Content-Type', 'text/html; charset=utf-8'],
        ['Content-Security-Policy', "script-src 'self'"],
        ['Cache-Control', 'public, max-age=31536000, immutable'],
      ],
      body: '<p>',
    },
    '/coded': {
      headers: [
        ['Content-Type', 'text/html'],
        ['Content-Encoding', 'br'],
      ],
      body: 'xx',
    },
    '/utf16': { headers: [['Content-Type', 'text/html; charset=utf-16le']], body: 'xx' },
  };
  const asked: HeaderList[] = [];
  const inner: Handler = {
    handle({ path, headers }) {
      asked.push(headers);
      return { status: 200, ...(answers[path] as (typeof answers)['/']) };
    },
  };
  const live = createLiveReload(inner, {
    root: tempDir(t),
    showHidden: false,
    signal: new AbortController().signal,
  });
  const { port } = await serve(t, live);
  assert.match((await ask(port, '/stream')).text, /^<p>streamed\n<script/);
  const policy = await ask(port, '/policy', { headers: { Host: 'dev:80', 'Accept-Encoding': 'br' } });
  assert.equal(policy.header('content-security-policy'), "script-src 'self' http://dev:80/.nettool/live.js");
  assert.equal(policy.header('cache-control'), 'no-cache');
  assert.ok(!asked.at(-1)?.some(([name]) => name.toLowerCase() === 'accept-encoding'));
  assert.equal((await ask(port, '/coded')).text, 'xx');
  assert.equal((await ask(port, '/utf16')).text, 'xx');
});

for (const [how, pollMs] of [
  ['by the system', undefined],
  ['by looking', 30],
] as const) {
  test(`changes are told once it is quiet: files, new folders, renames, deletions (${how})`, async (t) => {
    const { port, root } = await start(
      t,
      { 'a.css': '', 'b.html': '', '.git/x': '', 'node_modules/y': '' },
      pollMs,
    );
    const events = await listen(t, port);
    const version = await events.next('hello');
    // The first look has to be over before there can be a difference.
    if (pollMs !== undefined) await new Promise((resolve) => setTimeout(resolve, 100));
    const changed = async (change: () => void): Promise<string[]> => {
      change();
      const news = JSON.parse(await events.next('change'));
      assert.notEqual(news.version, version);
      return news.paths;
    };
    assert.deepEqual(
      await changed(() => {
        writeFileSync(join(root, '.git/x'), 'changed');
        writeFileSync(join(root, 'node_modules/y'), 'changed');
        writeFileSync(join(root, 'a.css'), 'changed');
      }),
      ['/a.css'],
    );
    const made = await changed(() => {
      mkdirSync(join(root, 'deep/er'), { recursive: true });
      writeFileSync(join(root, 'deep/er/c.html'), 'new');
    });
    assert.ok(made.some((path) => path.startsWith('/deep')));
    assert.ok(
      (await changed(() => writeFileSync(join(root, 'deep/er/c.html'), 'again'))).includes('/deep/er/c.html'),
    );
    writeFileSync(join(root, '.saving'), 'saved');
    assert.ok(
      (await changed(() => renameSync(join(root, '.saving'), join(root, 'b.html')))).includes('/b.html'),
    );
    assert.ok((await changed(() => rmSync(join(root, 'b.html')))).includes('/b.html'));
  });
}

test('a burst of changes is one event, and very many are told as a whole', async (t) => {
  const { port, root } = await start(t, {});
  const events = await listen(t, port);
  await events.next('hello');
  for (let count = 0; count < 500; count += 1) writeFileSync(join(root, `f${count}`), '');
  assert.deepEqual(JSON.parse(await events.next('change')).paths, []);
});

test('ten thousand files are watched at once, with few handles', async (t) => {
  const root = tempDir(t);
  for (let folder = 0; folder < 100; folder += 1) {
    mkdirSync(join(root, `d${folder}`));
    for (let file = 0; file < 100; file += 1) writeFileSync(join(root, `d${folder}`, `f${file}`), '');
  }
  const before = countDescriptors();
  const beganMs = performance.now();
  const live = { signal: new AbortController().signal };
  const { port } = await serveFolder(t, root, { live });
  assert.ok(performance.now() - beganMs < 3000);
  assert.ok((countDescriptors() ?? 0) <= (before ?? 0) + 10);
  const events = await listen(t, port);
  await events.next('hello');
  writeFileSync(join(root, 'd99/f99'), 'changed');
  assert.deepEqual(JSON.parse(await events.next('change')).paths, ['/d99/f99']);
});

test('a single file is watched too, also when it is replaced', async (t) => {
  const root = tempDir(t, { 'page.html': '<p>' });
  const live = { signal: new AbortController().signal };
  const { port } = await serveFolder(t, join(root, 'page.html'), { live });
  const events = await listen(t, port);
  await events.next('hello');
  writeFileSync(join(root, 'page.html'), 'changed');
  assert.deepEqual(JSON.parse(await events.next('change')).paths, ['/', '/page.html']);
});

test('event streams end when the server is to stop, so that it need not wait', async (t) => {
  const { port, stop, close } = await start(t, { 'index.html': '' });
  const events = await listen(t, port);
  await events.next('hello');
  const beganMs = performance.now();
  stop.abort();
  await close();
  assert.ok(performance.now() - beganMs < 900);
});

test('clients that leave are forgotten', async (t) => {
  const server = await start(t, {});
  for (let count = 0; count < 20; count += 1) {
    const { socket, next } = await listen(t, server.port);
    await next('hello');
    socket.resetAndDestroy();
    await server.nextRequest();
  }
  assert.equal((await ask(server.port, '/.nettool/live.js')).status, 200);
});

test('a page made while a file changes is told of that change', async (t) => {
  const root = tempDir(t);
  const answer = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const inner: Handler = {
    async handle() {
      asked.resolve();
      await answer.promise;
      return { status: 200, headers: [['Content-Type', 'text/html']], body: 'old' };
    },
  };
  const { signal } = new AbortController();
  const { port } = await serve(t, createLiveReload(inner, { root, showHidden: false, signal }));
  const events = await listen(t, port);
  const before = await events.next('hello');
  const page = ask(port, '/');
  await asked.promise;
  writeFileSync(join(root, 'file'), 'changed');
  await events.next('change');
  answer.resolve();
  assert.equal(SNIPPET.exec((await page).text)?.[1], before);
});
