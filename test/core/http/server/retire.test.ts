import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { Handler } from '../../../../src/core/http/handler.js';
import { serveHttp } from '../../../../src/core/http/server/index.js';
import type { ListeningEvent, RunningServer, ServeOptions } from '../../../../src/core/http/server-types.js';

const HELLO: Handler = { handle: async () => ({ status: 200, headers: [], body: 'hello' }) };
const REQUEST = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';

async function serve(
  t: TestContext,
  handler = HELLO,
  options: Partial<ServeOptions> = {},
): Promise<RunningServer> {
  const server = await serveHttp(handler, {
    host: '127.0.0.1',
    port: 0,
    signal: new AbortController().signal,
    onEvent: () => {},
    graceMs: 5000,
    ...options,
  });
  t.after(() => {
    void server.close();
    return server.close();
  });
  return server;
}

async function ask(socket: Socket): Promise<string> {
  socket.write(REQUEST);
  const [data] = await once(socket, 'data');
  return String(data);
}

test('a server that retires answers one more request on an idle connection, and says that it is the last', async (t) => {
  const server = await serve(t);
  const socket = connect(server.port, '127.0.0.1');
  assert.doesNotMatch(await ask(socket), /Connection: close/i);
  const fresh = connect(server.port, '127.0.0.1');
  await once(fresh, 'connect');
  while (server.connections < 2) await new Promise(setImmediate);

  const retired = server.retire(300);
  assert.match(await ask(socket), /^HTTP\/1\.1 200 OK[\s\S]*Connection: close[\s\S]*hello$/i);
  assert.match(await ask(fresh), /^HTTP\/1\.1 200 OK[\s\S]*Connection: close/i);
  await retired;
  assert.equal(server.connections, 0);
});

test('who brings nothing is let go after the time', async (t) => {
  const server = await serve(t);
  const socket = connect(server.port, '127.0.0.1');
  await ask(socket);
  const before = performance.now();
  const retired = server.retire(150);
  socket.resume();
  await once(socket, 'end');
  const took = performance.now() - before;
  assert.ok(took >= 140 && took < 2000, `${took} ms`);
  await retired;
});

test('closing a server that retires ends idle connections at once, and cuts no answer', async (t) => {
  const body = new Readable({ read() {} });
  const slow: Handler = { handle: async () => ({ status: 200, headers: [], body }) };
  const server = await serve(t, slow);
  const busy = connect(server.port, '127.0.0.1');
  busy.write(REQUEST.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  body.push('first ');
  await once(busy, 'readable');
  const idle = connect(server.port, '127.0.0.1');
  while (server.connections < 2) await new Promise(setImmediate);

  void server.retire(60_000);
  const closed = server.close();
  idle.resume();
  await once(idle, 'end');
  body.push('last');
  body.push(null);
  assert.match(await text(busy), /first [\s\S]*last/);
  await closed;
});

/** An event stream at `/`, and something else that takes its time. */
function endless(): { readonly handler: Handler; readonly events: Readable; readonly other: Readable } {
  const [events, other] = [new Readable({ read() {} }), new Readable({ read() {} })];
  events.push('data: 1\n\n');
  other.push('first ');
  const headers = [['Content-Type', 'text/event-stream; charset=utf-8']] as const;
  const handler: Handler = {
    handle: ({ path }) =>
      path === '/' ? { status: 200, headers, body: events } : { status: 200, headers: [], body: other },
  };
  return { handler, events, other };
}

test('a server that stops ends event streams at once and in order, other answers when they are complete', async (t) => {
  const { handler, events, other } = endless();
  const server = await serve(t, handler);
  const [stream, file] = ['/', '/other'].map((path) => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(REQUEST.replace('/', path));
    return socket;
  }) as [Socket, Socket];
  await Promise.all([once(stream, 'readable'), once(file, 'readable')]);
  const closed = server.close();
  assert.match(await text(stream), /\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n$/);
  assert.ok(events.destroyed);
  other.push('last');
  other.push(null);
  assert.match(await text(file), /first [\s\S]*last\r\n0\r\n\r\n$/);
  await closed;
});

test('HTTP/2: a server that stops ends event streams at once', async (t) => {
  const { handler, events } = endless();
  const server = await serve(t, handler, { http2: 'prior-knowledge' });
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  t.after(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  await once(stream, 'data');
  await Promise.all([server.close(), once(stream, 'close')]);
  assert.ok(events.destroyed);
});

test('HTTP/2: requests of that time are answered, and then the client is told to go', async (t) => {
  const server = await serve(t, HELLO, { http2: 'prior-knowledge' });
  const session = connectHttp2(`http://127.0.0.1:${server.port}`);
  t.after(() => session.destroy());
  const answer = async (): Promise<string> => text(session.request({ ':path': '/' }).setEncoding('utf8'));
  assert.equal(await answer(), 'hello');
  const goaway = once(session, 'goaway');
  const retired = server.retire(300);
  assert.equal(await answer(), 'hello');
  assert.equal(await answer(), 'hello');
  assert.equal((await goaway)[0], 0);
  await retired;
});

test('a server can answer on connections that somebody else accepts', async (t) => {
  const front = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  t.after(() => front.close());
  const event: ListeningEvent = { type: 'listening', url: 'http://front/', urls: [], host: 'front', port: 1 };
  let isOpen = true;
  const source = (accept: (socket: Socket) => void): (() => void) => {
    front.on('connection', accept);
    return () => {
      isOpen = false;
    };
  };
  const server = await serve(t, HELLO, { listen: [{ source, event }] });
  assert.equal(server.url, 'http://front/');
  const { port } = front.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  assert.match(await ask(socket), /hello$/);
  assert.equal(server.requests, 1);
  await server.close();
  assert.equal(isOpen, false);
});
