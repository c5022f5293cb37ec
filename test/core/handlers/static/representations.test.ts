import assert from 'node:assert/strict';
import { chmodSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  brotliCompressSync,
  brotliDecompressSync,
  gunzipSync,
  gzipSync,
  zstdDecompressSync,
} from 'node:zlib';
import { createHandler } from '../../../../src/core/handlers/index.js';
import type { StaticTarget } from '../../../../src/core/handlers/static/index.js';
import { ask, type RawAnswer } from '../../../helpers/raw-http.js';
import { serve } from '../../../helpers/servers.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const TEXT = Array.from({ length: 3000 }, (_, index) => `line ${index} of a text\n`).join('');

type Get = (path: string, acceptEncoding?: string, more?: Record<string, string>) => Promise<RawAnswer>;

async function start(t: TestContext, root: string, options: Partial<StaticTarget> = {}): Promise<Get> {
  const { port } = await serve(t, await createHandler({ kind: 'static', root, ...options }));
  return (path, acceptEncoding, more = {}) =>
    ask(port, path, {
      headers: { ...(acceptEncoding !== undefined && { 'Accept-Encoding': acceptEncoding }), ...more },
    });
}

const DECODERS = { br: brotliDecompressSync, zstd: zstdDecompressSync, gzip: gunzipSync };

test('text is compressed as the client likes it, each coding with a tag of its own', async (t) => {
  const get = await start(t, tempDir(t, { 'a.txt': TEXT }));
  const plain = await get('/a.txt');
  const tags = new Set([plain.header('etag')]);
  assert.equal(plain.header('content-encoding'), undefined);
  assert.equal(plain.header('vary'), 'Accept-Encoding');
  assert.equal(plain.text, TEXT);
  for (const [coding, decode] of Object.entries(DECODERS)) {
    const answer = await get('/a.txt', `${coding}, identity;q=0.1`);
    assert.equal(answer.header('content-encoding'), coding);
    assert.equal(answer.header('vary'), 'Accept-Encoding');
    assert.equal(answer.header('content-length'), String(answer.body.length));
    assert.equal(answer.header('content-type'), 'text/plain; charset=utf-8');
    assert.equal(decode(answer.body).toString(), TEXT);
    assert.match(answer.header('etag') ?? '', /^W\/"/);
    tags.add(answer.header('etag'));
  }
  assert.equal(tags.size, 4);
  assert.equal((await get('/a.txt', 'gzip, br, zstd')).header('content-encoding'), 'br');
  assert.equal((await get('/a.txt', 'gzip;q=0')).header('content-encoding'), undefined);
});

test('a compressed file is asked about again by its tag, whichever level it was sent in', async (t) => {
  const get = await start(t, tempDir(t, { 'a.txt': TEXT }));
  const first = await get('/a.txt', 'br');
  const etag = first.header('etag') ?? '';
  const again = await get('/a.txt', 'br', { 'If-None-Match': etag });
  assert.equal(again.status, 304);
  assert.equal(again.header('etag'), etag);
  assert.equal(again.header('vary'), 'Accept-Encoding');
  assert.equal(again.header('content-encoding'), undefined);
  assert.equal((await get('/a.txt', 'gzip', { 'If-None-Match': etag })).status, 200);
  assert.equal((await get('/a.txt', 'br', { 'If-Match': etag })).status, 412);
});

test('what a client has from before a restart is 304 without being compressed again', async (t) => {
  const root = tempDir(t, { 'a.txt': TEXT });
  const before = await start(t, root);
  const etag = (await before('/a.txt', 'br')).header('etag') ?? '';
  const after = await start(t, root);
  const answer = await after('/a.txt', 'br', { 'If-None-Match': etag });
  assert.equal(answer.status, 304);
  assert.equal(answer.header('etag'), etag);
  assert.equal(answer.header('vary'), 'Accept-Encoding');
  assert.equal(brotliDecompressSync((await after('/a.txt', 'br')).body).toString(), TEXT);
});

test('HEAD says what GET would have sent', async (t) => {
  const root = tempDir(t, { 'a.txt': TEXT });
  const { port } = await serve(t, await createHandler({ kind: 'static', root }));
  const headers = { 'Accept-Encoding': 'gzip', Range: 'bytes=0-1' };
  const get = await ask(port, '/a.txt', { headers: { 'Accept-Encoding': 'gzip' } });
  const head = await ask(port, '/a.txt', { method: 'HEAD', headers });
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  const comparable = (answer: RawAnswer) => answer.fields.filter(([name]) => name !== 'Date');
  assert.deepEqual(comparable(head), comparable(get));
});

test('tiny, dense and huge files are sent as they are', async (t) => {
  const files = {
    'tiny.txt': 'x'.repeat(1023),
    'a.png': 'x'.repeat(5000),
    'a.mp4': 'x'.repeat(5000),
    'huge.txt': Buffer.alloc(4 * 1024 * 1024 + 1, 'x'),
  };
  const get = await start(t, tempDir(t, files));
  for (const name of Object.keys(files)) {
    const answer = await get(`/${name}`, 'br, gzip');
    assert.equal(answer.header('content-encoding'), undefined, name);
    assert.equal(answer.header('vary'), undefined, name);
    assert.match(answer.header('etag') ?? '', /^"/);
  }
});

test('what does not get smaller is sent as it is, and what must be compressed is', async (t) => {
  const noise = Buffer.from(Array.from({ length: 4000 }, () => Math.floor(Math.random() * 256)));
  const get = await start(t, tempDir(t, { 'noise.txt': noise, 'tiny.txt': 'tiny' }));
  const answer = await get('/noise.txt', 'gzip');
  assert.equal(answer.header('content-encoding'), undefined);
  assert.deepEqual(answer.body, noise);
  assert.deepEqual(gunzipSync((await get('/noise.txt', 'gzip, identity;q=0')).body), noise);
  assert.equal(gunzipSync((await get('/tiny.txt', '*;q=0, gzip')).body).toString(), 'tiny');
  const refused = await get('/tiny.txt', 'identity;q=0');
  assert.equal(refused.status, 406);
  assert.equal((await get('/tiny.txt', 'deflate, *;q=0')).status, 406);
});

test('a part is one of the file, never of what was compressed on the way', async (t) => {
  const get = await start(t, tempDir(t, { 'a.txt': TEXT }));
  const whole = await get('/a.txt', 'gzip');
  const part = await get('/a.txt', 'gzip', { Range: 'bytes=0-9' });
  assert.equal(part.status, 206);
  assert.equal(part.header('content-encoding'), undefined);
  assert.equal(part.text, TEXT.slice(0, 10));
  const compressed = await get('/a.txt', 'gzip', {
    Range: 'bytes=0-9',
    'If-Range': whole.header('etag') ?? '',
  });
  assert.equal(compressed.status, 200);
  const forced = await get('/a.txt', 'gzip, identity;q=0', { Range: 'bytes=0-9' });
  assert.equal(forced.status, 200);
  assert.equal(gunzipSync(forced.body).toString(), TEXT);
});

test('many clients at once get the same compressed file', async (t) => {
  const get = await start(t, tempDir(t, { 'a.txt': TEXT.repeat(20) }));
  // A file of this very moment is read anew for each: it may still be changing.
  await delay(120);
  const answers = await Promise.all(Array.from({ length: 20 }, () => get('/a.txt', 'br')));
  for (const { body } of answers) assert.equal(brotliDecompressSync(body).length, TEXT.length * 20);
});

test('a changed file is compressed anew', async (t) => {
  const root = tempDir(t, { 'a.txt': TEXT });
  const get = await start(t, root);
  await get('/a.txt', 'br');
  writeFileSync(join(root, 'a.txt'), TEXT.toUpperCase());
  assert.equal(brotliDecompressSync((await get('/a.txt', 'br')).body).toString(), TEXT.toUpperCase());
});

/** A page with its compressed forms beside it, each recognisable. */
function siteWithSiblings(t: TestContext): string {
  return tempDir(t, {
    'site/a.js': 'plain'.repeat(100),
    'site/a.js.br': brotliCompressSync('from br'),
    'site/a.js.gz': gzipSync('from gz'),
    'site/index.html': '<p>plain',
    'site/index.html.gz': gzipSync('<p>from gz'),
    'out/a.js.zst': 'SECRET',
  });
}

test('files beside a file are sent in its place, with its type and tags of their own', async (t) => {
  const get = await start(t, join(siteWithSiblings(t), 'site'));
  const br = await get('/a.js', 'br, gzip');
  assert.equal(brotliDecompressSync(br.body).toString(), 'from br');
  assert.equal(br.header('content-type'), 'text/javascript; charset=utf-8');
  assert.equal(br.header('content-encoding'), 'br');
  assert.equal(br.header('accept-ranges'), 'bytes');
  const gz = await get('/a.js', 'gzip');
  assert.equal(gunzipSync(gz.body).toString(), 'from gz');
  const tags = [br, gz, await get('/a.js')].map((answer) => answer.header('etag'));
  assert.equal(new Set(tags).size, 3);
  for (const tag of tags) assert.match(tag ?? '', /^"/);
  assert.equal((await get('/a.js')).text, 'plain'.repeat(100));
  assert.equal(gunzipSync((await get('/', 'gzip')).body).toString(), '<p>from gz');
  const direct = await get('/a.js.gz', 'gzip');
  assert.equal(direct.header('content-type'), 'application/gzip');
  assert.equal(direct.header('content-encoding'), undefined);
});

test('ranges of a compressed file count its own bytes', async (t) => {
  const root = siteWithSiblings(t);
  const get = await start(t, join(root, 'site'));
  const whole = await get('/a.js', 'gzip');
  const part = await get('/a.js', 'gzip', { Range: 'bytes=2-5', 'If-Range': whole.header('etag') ?? '' });
  assert.equal(part.status, 206);
  assert.equal(part.header('content-encoding'), 'gzip');
  assert.equal(part.header('content-range'), `bytes 2-5/${whole.body.length}`);
  assert.deepEqual(part.body, whole.body.subarray(2, 6));
  const beyond = await get('/a.js', 'gzip', { Range: 'bytes=400-' });
  assert.equal(beyond.status, 416);
});

test('a sibling that is older, empty, a folder or leads outside is none', async (t) => {
  const folder = siteWithSiblings(t);
  const site = join(folder, 'site');
  symlinkSync('../out/a.js.zst', join(site, 'a.js.zst'));
  utimesSync(join(site, 'a.js.br'), 1_000_000_000, 1_000_000_000);
  writeFileSync(join(site, 'a.js.gz'), '');
  const get = await start(t, site);
  for (const coding of ['br', 'zstd', 'gzip']) {
    const answer = await get('/a.js', coding);
    assert.equal(answer.status, 200);
    assert.ok(!answer.text.includes('SECRET'));
    assert.equal(answer.header('content-encoding'), undefined, coding);
    assert.equal(answer.text, 'plain'.repeat(100));
  }
});

test('a sibling that changes or goes away is noticed at once', async (t) => {
  const site = join(siteWithSiblings(t), 'site');
  const get = await start(t, site);
  assert.equal(gunzipSync((await get('/a.js', 'gzip')).body).toString(), 'from gz');
  writeFileSync(join(site, 'a.js.gz'), gzipSync('from newer gz'));
  assert.equal(gunzipSync((await get('/a.js', 'gzip')).body).toString(), 'from newer gz');
  rmSync(join(site, 'a.js.gz'));
  assert.equal((await get('/a.js', 'gzip')).text, 'plain'.repeat(100));
});

test('a sibling larger than the cache keeps is streamed whole', async (t) => {
  const content = Buffer.from(Array.from({ length: 400_000 }, () => Math.floor(Math.random() * 256)));
  const get = await start(t, tempDir(t, { 'a.bin': content, 'a.bin.gz': gzipSync(content) }));
  const answer = await get('/a.bin', 'gzip');
  assert.equal(answer.header('content-encoding'), 'gzip');
  assert.deepEqual(gunzipSync(answer.body), content);
});

test('an unreadable sibling does not hide the file', { skip: process.geteuid?.() !== 0 }, async (t) => {
  const folder = siteWithSiblings(t);
  chmodSync(folder, 0o755);
  chmodSync(join(folder, 'site/a.js.br'), 0);
  const get = await start(t, join(folder, 'site'));
  process.seteuid?.(65_534);
  try {
    const answer = await get('/a.js', 'br, gzip;q=0.5');
    assert.equal(answer.header('content-encoding'), 'gzip');
  } finally {
    process.seteuid?.(0);
  }
});
