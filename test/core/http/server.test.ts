import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { NettoolError } from '../../../src/core/errors.js';
import type { Handler } from '../../../src/core/http/handler.js';
import type { IncomingRequest } from '../../../src/core/http/messages.js';
import { serveHttp } from '../../../src/core/http/server/index.js';
import { ask, exchange, open, parseAnswer } from '../../helpers/raw-http.js';
import { serve } from '../../helpers/servers.js';

const HELLO: Handler = { handle: () => ({ status: 200, headers: [], body: 'hello' }) };

/** A promise and how to settle it. */
function later<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, resolve };
}

test('the handler gets the request as it was sent, and its one canonical path', async (t) => {
  const seen: IncomingRequest[] = [];
  const { port } = await serve(t, {
    async handle(request) {
      seen.push(request);
      const chunks: Buffer[] = [];
      for await (const chunk of request.body) chunks.push(chunk);
      return { status: 200, headers: [], body: Buffer.concat(chunks) };
    },
  });
  const headers = { 'X-Case': 'Kept', 'x-two': '1' };
  const answer = await ask(port, '/a/%2e%2e/b%20c?q=%20', { method: 'POST', headers, body: 'content' });
  const [request] = seen;
  assert.ok(request !== undefined);
  assert.equal(answer.text, 'content');
  assert.equal(request.method, 'POST');
  assert.equal(request.target, '/a/%2e%2e/b%20c?q=%20');
  assert.equal(request.rawPath, '/a/%2e%2e/b%20c');
  assert.equal(request.path, '/b c');
  assert.equal(request.query, 'q=%20');
  assert.equal(request.httpVersion, '1.1');
  assert.equal(request.scheme, 'http');
  assert.equal(request.remoteAddress, '127.0.0.1');
  assert.equal(request.localPort, port);
  assert.ok(request.remotePort > 0);
  assert.ok(request.headers.some(([name, value]) => name === 'X-Case' && value === 'Kept'));
});

test('malformed targets and ambiguous hosts are 400 and never reach the handler', async (t) => {
  const { port } = await serve(t, {
    handle() {
      throw new Error('reached');
    },
  });
  for (const target of ['/%', '/%zz', '/a%00b', '/a#b', '*']) {
    assert.equal((await ask(port, target)).status, 400, target);
  }
  const twoHosts = await exchange(port, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n');
  assert.equal(parseAnswer(twoHosts).status, 400);
});

test('what is no HTTP gets an answer and a closed connection', async (t) => {
  const { port } = await serve(t, HELLO);
  assert.equal(parseAnswer(await exchange(port, 'nonsense\r\n\r\n')).status, 400);
  const long = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`;
  assert.equal(parseAnswer(await exchange(port, long)).status, 431);
  assert.equal(parseAnswer(await exchange(port, 'CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n')).status, 501);
});

test('nonsense after a good request does not cost that its answer', async (t) => {
  const { port } = await serve(t, {
    async handle() {
      await new Promise(setImmediate);
      return { status: 200, headers: [], body: 'good' };
    },
  });
  const text = (await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n')).toString();
  assert.match(text, /^HTTP\/1\.1 200 OK.*good(?:HTTP\/1\.1 400 Bad Request.*)?$/s);
});

test('a request is told with what it asked for and what it got', async (t) => {
  const server = await serve(t, HELLO);
  await ask(server.port, '/x?y', { headers: { 'User-Agent': 'test/1', Referer: 'http://r/' } });
  const { time, durationMs, queueMs, handlerMs, sendMs, remotePort, ...event } = await server.nextRequest();
  assert.ok(queueMs >= 0 && handlerMs >= 0 && sendMs >= 0);
  assert.match(time, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.ok(durationMs >= 0 && remotePort > 0);
  assert.deepEqual(event, {
    type: 'request',
    method: 'GET',
    target: '/x?y',
    httpVersion: '1.1',
    status: 200,
    bytes: 5,
    bytesIn: 0,
    scheme: 'http',
    host: 'test',
    remoteAddress: '127.0.0.1',
    userAgent: 'test/1',
    referer: 'http://r/',
  });
});

test('the signal of a request aborts when its client leaves', async (t) => {
  const arrived = later();
  const left = later();
  const server = await serve(t, {
    async handle({ signal }) {
      signal.addEventListener('abort', () => left.resolve());
      arrived.resolve();
      await left.promise;
      return { status: 200, headers: [], body: 'too late' };
    },
  });
  const socket = await open(server.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await arrived.promise;
  socket.destroy();
  await left.promise;
  assert.equal((await server.nextRequest()).aborted, true);
});

test('a server that stops takes no new connection, finishes what runs and says so at the end', async (t) => {
  const arrived = later();
  const go = later();
  let closed = 0;
  const server = await serve(t, {
    async handle() {
      arrived.resolve();
      await go.promise;
      return { status: 200, headers: [], body: 'finished' };
    },
    async close() {
      closed += 1;
    },
  });
  const idle = await open(server.port, '');
  const running = ask(server.port, '/', { headers: { Connection: 'keep-alive' } });
  await arrived.promise;
  const done = server.close();
  await once(idle, 'close');
  const refused = connect(server.port, '127.0.0.1');
  const [error] = await once(refused, 'error');
  assert.equal(error.code, 'ECONNREFUSED');
  go.resolve();
  const answer = await running;
  assert.equal(answer.text, 'finished');
  assert.equal(answer.header('connection'), 'close');
  await done;
  assert.equal(closed, 1);
  assert.deepEqual(
    server.events.map(({ type }) => type),
    ['listening', 'request', 'closed'],
  );
});

test('an answer that takes longer than the grace time is cut', async (t) => {
  const arrived = later();
  const server = await serve(
    t,
    {
      async handle({ signal }) {
        arrived.resolve();
        await once(signal, 'abort');
        return { status: 200, headers: [] };
      },
    },
    50,
  );
  const socket = await open(server.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await arrived.promise;
  await Promise.all([server.close(), once(socket, 'close')]);
  assert.deepEqual(server.events.at(-1), { type: 'closed', requests: 1 });
});

test('the signal stops a server as close does, also before it has begun', async () => {
  const stop = AbortSignal.abort();
  const types: string[] = [];
  const server = await serveHttp(HELLO, {
    host: '127.0.0.1',
    port: 0,
    signal: stop,
    onEvent: ({ type }) => types.push(type),
  });
  await server.closed;
  await server.close();
  assert.deepEqual(types, ['listening', 'closed']);
});

test('a server that cannot listen lets go of its handler', async (t) => {
  const { port } = await serve(t, HELLO);
  let closed = false;
  const handler = {
    ...HELLO,
    async close() {
      closed = true;
    },
  };
  const options = { host: '127.0.0.1', port, signal: new AbortController().signal, onEvent: () => {} };
  await assert.rejects(
    serveHttp(handler, options),
    (error) => error instanceof NettoolError && error.code === 'ADDRESS_IN_USE',
  );
  assert.ok(closed);
});
