import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { RequestListener, ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { createProxyHandler } from '../../../../src/core/handlers/proxy/index.js';
import { serveHttp } from '../../../../src/core/http/server/index.js';
import { rawExchange, serveHandler } from '../../../helpers/serve-handler.js';
import { startUpstream } from '../../../helpers/upstreams.js';

/** An upstream with WebSockets, and us before it. */
async function start(t: TestContext, listener: RequestListener, graceMs?: number) {
  const upstream = await startUpstream(t, listener);
  const sockets = new WebSocketServer({ server: upstream.server, handleProtocols: () => 'chat' });
  const handler = createProxyHandler({ upstreams: [upstream.url] });
  const served = await serveHandler(t, handler, graceMs === undefined ? {} : { graceMs });
  return { ...served, upstream, sockets };
}

test('WebSockets pass in both directions, sub-protocol and close code included', async (t) => {
  const { port, sockets } = await start(t, () => {});
  const { promise: closed, resolve } = Promise.withResolvers<number>();
  sockets.on('connection', (socket, request) => {
    socket.send(`hello ${request.headers['x-forwarded-for']} ${request.url}`);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('close', resolve);
  });
  const client = new WebSocket(`ws://127.0.0.1:${port}/room?x`, ['chat', 'other']);
  const [hello] = await once(client, 'message');
  assert.equal(String(hello), 'hello 127.0.0.1 /room?x');
  assert.equal(client.protocol, 'chat');
  const large = Buffer.alloc(3_000_000, 7);
  client.send(large);
  const [back] = await once(client, 'message');
  assert.ok(large.equals(back as Buffer));
  client.close(4001);
  assert.equal(await closed, 4001);
});

test('a server that stops ends WebSockets in order, when nothing else is under way', async (t) => {
  const held: ServerResponse[] = [];
  const { port, origin, server, upstream, sockets } = await start(
    t,
    (_request, response) => void held.push(response),
    60_000,
  );
  const { promise: left, resolve } = Promise.withResolvers<number>();
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data));
    socket.on('close', resolve);
  });
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, 'chat');
  await once(client, 'open');
  const answer = fetch(origin);
  while (held.length === 0) await once(upstream.server, 'request');
  const stopped = server.close();
  const gone = once(client, 'close');
  client.send('still there?');
  await once(client, 'message');
  held[0]?.end('done');
  assert.equal(await (await answer).text(), 'done');
  const [code, reason] = await gone;
  assert.deepEqual([code, String(reason)], [1012, 'service restart']);
  assert.equal(await left, 1012);
  await stopped;
});

test('a WebSocket whose handshake was under way when the server stopped ends at once', async (t) => {
  const upstream = await startUpstream(t, () => {});
  const sockets = new WebSocketServer({ noServer: true });
  const { promise: asked, resolve } = Promise.withResolvers<() => void>();
  upstream.server.on('upgrade', (request, socket, head) => {
    resolve(() => sockets.handleUpgrade(request, socket, head, () => {}));
  });
  const handler = createProxyHandler({ upstreams: [upstream.url] });
  const { port, server } = await serveHandler(t, handler, { graceMs: 60_000 });
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  const agree = await asked;
  const stopped = server.close();
  agree();
  const [code] = await once(client, 'close');
  assert.equal(code, 1012);
  await stopped;
});

test('nobody is warned of the listeners that a WebSocket over TLS takes', async (t) => {
  const upstream = await startUpstream(t, () => {});
  new WebSocketServer({ server: upstream.server }).on('connection', (socket) => socket.send('hello'));
  const certs = new URL('../../../fixtures/certs/', import.meta.url);
  const cert = readFileSync(new URL('localhost.crt', certs));
  const key = readFileSync(new URL('localhost.key', certs));
  const server = await serveHttp(createProxyHandler({ upstreams: [upstream.url] }), {
    host: '127.0.0.1',
    port: 0,
    tls: { cert, key },
    signal: t.signal,
    onEvent() {},
  });
  t.after(() => server.close());
  const warnings: Error[] = [];
  const keep = (warning: Error) => warnings.push(warning);
  process.on('warning', keep);
  t.after(() => process.off('warning', keep));
  const client = new WebSocket(`wss://127.0.0.1:${server.port}/`, { rejectUnauthorized: false });
  await once(client, 'message');
  client.close();
  await once(client, 'close');
  assert.deepEqual(warnings, []);
});

test('an upgrade that is refused is answered like any request', async (t) => {
  const upstream = await startUpstream(t, (_request, response) => response.writeHead(403).end('no'));
  const { port } = await serveHandler(t, createProxyHandler({ upstreams: [upstream.url] }));
  const answer = await rawExchange(
    port,
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 403/);
});
