import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { collect } from '../../../src/core/http/body.js';
import { send } from '../../../src/core/http/client.js';
import { listen, startStub } from '../../helpers/stub-server.js';

const OPTIONS = { connectTimeoutMs: 10_000, idleTimeoutMs: 60_000 };
const { signal } = new AbortController();

test('a large body is sent whole, and the answer to it is read', async (t) => {
  const server = createServer(async (req, res) => {
    let size = 0;
    for await (const chunk of req) size += chunk.length;
    res.end(String(size));
  });
  const url = new URL(`http://127.0.0.1:${await listen(t, server)}/`);
  const response = await send(
    { method: 'POST', url, headers: [], body: Buffer.alloc(20 * 2 ** 20), signal },
    OPTIONS,
  );
  assert.equal((await collect(response.body, 100)).toString(), String(20 * 2 ** 20));
});

test('an answer that comes before the body is sent is taken', async (t) => {
  const { url } = await startStub(t, (socket) => {
    socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nbig\n');
  });
  const body = Buffer.alloc(50 * 2 ** 20);
  const response = await send({ method: 'POST', url: new URL(url), headers: [], body, signal }, OPTIONS);
  assert.equal(response.status, 413);
  assert.equal((await collect(response.body, 100)).toString(), 'big\n');
});

test('a server that takes no more of the body times out', async (t) => {
  const { url } = await startStub(t, (socket) => socket.pause());
  const body = Buffer.alloc(50 * 2 ** 20);
  const startedAt = performance.now();
  await assert.rejects(
    send(
      { method: 'POST', url: new URL(url), headers: [], body, signal },
      { ...OPTIONS, idleTimeoutMs: 300 },
    ),
    { code: 'TIMEOUT' },
  );
  assert.ok(performance.now() - startedAt < 1500);
});

test('an IPv6 address is reached, and named in brackets in Host', async (t) => {
  const server = createServer((req, res) => res.end(req.headers.host));
  try {
    await new Promise<void>((done, fail) => server.once('error', fail).listen(0, '::1', done));
  } catch {
    t.skip('no IPv6 here');
    return;
  }
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const url = new URL(`http://[::1]:${port}/`);
  const response = await send({ method: 'GET', url, headers: [], signal }, OPTIONS);
  assert.equal((await collect(response.body, 100)).toString(), `[::1]:${port}`);
  assert.equal(response.remoteAddress, '::1');
});
