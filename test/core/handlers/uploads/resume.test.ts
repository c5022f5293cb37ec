import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseContentRange } from '../../../../src/core/handlers/uploads/content-range.js';
import { serveFolder, UPLOAD_RULES } from '../../../helpers/folder-server.js';
import { ask, exchange, open, parseAnswer } from '../../../helpers/raw-http.js';
import { tempDir } from '../../../helpers/temp-dir.js';

async function start(t: TestContext, rules: Partial<typeof UPLOAD_RULES> = {}) {
  const root = tempDir(t);
  const server = await serveFolder(t, root, { uploads: { ...UPLOAD_RULES, ...rules } });
  const send = async (range: string, body = '', path = '/f.bin') =>
    ask(server.port, path, { method: 'PUT', body, headers: { 'Content-Range': range } });
  return { ...server, root, send };
}

const offset = (answer: Awaited<ReturnType<typeof ask>>) => [
  answer.status,
  answer.header('upload-offset'),
  answer.header('range'),
];

test('a file arrives in parts and has its name only when it is whole', async (t) => {
  const { port, root, send } = await start(t);
  assert.deepEqual(offset(await send('bytes */10')), [308, '0', undefined]);
  const first = await send('bytes 0-3/10', '0123');
  assert.deepEqual(offset(first), [308, '4', 'bytes=0-3']);
  assert.equal(first.header('location'), undefined);
  assert.equal((await ask(port, '/f.bin')).status, 404);
  assert.deepEqual(offset(await send('bytes */10')), [308, '4', 'bytes=0-3']);
  const { text } = await ask(port, '/', { headers: { Accept: 'application/json' } });
  assert.deepEqual(JSON.parse(text).entries, []);
  const last = await send('bytes 4-9/10', '456789');
  assert.deepEqual([last.status, last.header('location')], [201, '/f.bin']);
  assert.equal(readFileSync(join(root, 'f.bin'), 'utf8'), '0123456789');
  assert.deepEqual(readdirSync(root), ['f.bin']);
});

test('a part that does not begin where the file ends is 409 with the offset, and changes nothing', async (t) => {
  const { send } = await start(t);
  await send('bytes 0-3/10', 'abcd');
  assert.deepEqual(offset(await send('bytes 2-5/10', 'XXXX')), [409, '4', 'bytes=0-3']);
  assert.deepEqual(offset(await send('bytes 6-9/10', 'XXXX')), [409, '4', 'bytes=0-3']);
  assert.deepEqual(offset(await send('bytes 0-3/10', 'XXXX')), [409, '4', 'bytes=0-3']);
  assert.equal((await send('bytes 4-9/10', 'efghij')).status, 201);
});

test('parts of files of different sizes are never mixed', async (t) => {
  const { root, send } = await start(t);
  await send('bytes 0-3/10', 'abcd');
  assert.deepEqual(offset(await send('bytes */8')), [308, '0', undefined]);
  assert.equal((await send('bytes 0-7/8', '12345678')).status, 201);
  assert.equal(readFileSync(join(root, 'f.bin'), 'utf8'), '12345678');
  assert.equal((await send('bytes 4-9/10', 'efghij')).status, 409);
  assert.equal(readFileSync(join(root, 'f.bin'), 'utf8'), '12345678');
});

test('what arrived before a connection broke stays, and the next one goes on', async (t) => {
  const { port, root, send, nextRequest } = await start(t);
  const socket = await open(
    port,
    'PUT /f.bin HTTP/1.1\r\nHost: test\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n01234',
  );
  const part = () => readdirSync(root).map((name) => statSync(join(root, name)).size)[0];
  while (part() !== 5) await new Promise((resolve) => setImmediate(resolve));
  socket.resetAndDestroy();
  await nextRequest();
  assert.deepEqual(offset(await send('bytes */10')), [308, '5', 'bytes=0-4']);
  assert.equal((await send('bytes 5-9/10', '56789')).status, 201);
  assert.equal(readFileSync(join(root, 'f.bin'), 'utf8'), '0123456789');
});

test('a client that comes back takes over from its own connection that stands still', async (t) => {
  const { port, root, send } = await start(t);
  const stalled = await open(
    port,
    'PUT /f.bin HTTP/1.1\r\nHost: test\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n01234',
  );
  t.after(() => stalled.destroy());
  const part = () => readdirSync(root).map((name) => statSync(join(root, name)).size)[0];
  while (part() !== 5) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(offset(await send('bytes */10')), [308, '5', 'bytes=0-4']);
  assert.equal((await send('bytes 5-9/10', '56789')).status, 201);
});

test('malformed and contradictory parts are refused', async (t) => {
  const { port, root, send } = await start(t, { maxBytes: 100 });
  for (const range of ['bytes 5-4/10', 'bytes 0-10/10', 'bytes 0-3/*', 'lines 0-3/10', 'bytes 0-3', 'x']) {
    assert.equal((await send(range, '0123')).status, 400, range);
  }
  assert.equal((await send('bytes 0-4/10', '0123')).status, 400);
  assert.equal((await send('bytes 0-3/101', '0123')).status, 413);
  assert.equal((await send('bytes 0-3/99999999999999999999', '0123')).status, 400);
  const head =
    'PUT /o HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes 0-3/10\r\n\r\n';
  assert.equal(parseAnswer(await exchange(port, `${head}8\r\n01234567\r\n0\r\n\r\n`)).status, 413);
  await send('bytes 0-9/10', '0123456789');
  assert.equal((await send('bytes */10')).status, 409);
  assert.equal(readFileSync(join(root, 'f.bin'), 'utf8'), '0123456789');
});

test('Content-Range is read as RFC 9110 writes it', () => {
  assert.deepEqual(parseContentRange('bytes 0-99/1000'), {
    part: { first: 0, length: 100 },
    totalBytes: 1000,
  });
  assert.deepEqual(parseContentRange('bytes */7'), { part: undefined, totalBytes: 7 });
  assert.equal(parseContentRange('bytes 0-99/9007199254740993'), undefined);
});

test('what is left of uploads nobody went on with is removed after a day', async (t) => {
  const { root, send } = await start(t);
  await send('bytes 0-3/10', 'abcd');
  const [part = ''] = readdirSync(root);
  const [dayAgo, weekAgo] = [Date.now() / 1000 - 23 * 3600, Date.now() / 1000 - 7 * 24 * 3600];
  utimesSync(join(root, part), dayAgo, dayAgo);
  writeFileSync(join(root, '.nettool-0123.part'), 'left by a server that was killed');
  utimesSync(join(root, '.nettool-0123.part'), weekAgo, weekAgo);
  writeFileSync(join(root, '.nettool-keep'), 'not ours');
  utimesSync(join(root, '.nettool-keep'), weekAgo, weekAgo);
  const later = await serveFolder(t, root, { uploads: UPLOAD_RULES });
  await ask(later.port, '/other', { method: 'PUT', body: 'x' });
  assert.deepEqual(readdirSync(root).sort(), ['.nettool-keep', part, 'other'].sort());
});
