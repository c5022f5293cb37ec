import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { HttpResponse, IncomingRequest } from '../../../../src/core/http/messages.js';
import type { RequestEvent, ServeOptions } from '../../../../src/core/http/server-types.js';
import { parseAnswer } from '../../../helpers/raw-http.js';
import { RawClient, start, text } from './raw.js';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const GET_1_0 = 'GET / HTTP/1.0\r\n\r\n';

interface Quiet {
  readonly port: number;
  /** What is streamed: `first`, then whatever the test adds. */
  readonly body: Readable;
  /** Resolves when the handler hears that nobody waits for the answer. */
  readonly told: Promise<void>;
  /** Resolves with the event of the request. */
  readonly event: Promise<RequestEvent>;
}

/** A server that begins to answer and then has nothing to say. */
async function quiet(t: TestContext, options: Partial<ServeOptions> = {}): Promise<Quiet> {
  const told = Promise.withResolvers<void>();
  const event = Promise.withResolvers<RequestEvent>();
  const body = new Readable({ read() {} });
  body.push('first');
  const answer = ({ signal }: IncomingRequest): HttpResponse => {
    signal.addEventListener('abort', () => told.resolve());
    return { status: 200, headers: [], body };
  };
  const { port } = await start(t, answer, {
    ...options,
    onEvent: (one) => one.type === 'request' && event.resolve(one),
  });
  return { port, body, told: told.promise, event: event.promise };
}

for (const [name, request] of [
  ['in chunks', GET],
  ['without chunks', GET_1_0],
] as const) {
  test(`a client that closes during a pause of an answer ${name} is missed`, async (t) => {
    const { port, body, told, event } = await quiet(t);
    const client = new RawClient(port);
    client.send(request);
    await client.until(/first/);
    client.socket.destroy();
    await told;
    const { status, aborted, error } = await event;
    assert.deepEqual({ status, aborted, error }, { status: 200, aborted: true, error: undefined });
    assert.ok(body.destroyed);
  });
}

test('a half-closed client that waits in a pause gets the rest, in chunks that say the same', async (t) => {
  const { port, body, event } = await quiet(t);
  const client = new RawClient(port);
  client.socket.end(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  await client.until(/5\r\nfirst\r\n00$/);
  body.push('second');
  await client.until(/006\r\nsecond\r\n0$/);
  body.push(null);
  const received = await client.toEnd();
  assert.match(received, /second\r\n00+\r\n\r\n$/);
  assert.equal(parseAnswer(Buffer.from(received)).text, 'firstsecond');
  assert.equal((await event).aborted, undefined);
});

test('a body that was sent before its client closed its side is whole, however late it is asked for', async (t) => {
  const { port } = await start(t, async ({ body }) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    let size = 0;
    for await (const chunk of body) {
      size += (chunk as Buffer).length;
      await new Promise(setImmediate);
    }
    return text(`<${size}>`);
  });
  for (const size of [3, 50_000, 400_000]) {
    const content = 'x'.repeat(size);
    const chunked = `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${content}\r\n0\r\n\r\n`;
    for (const rest of [`Content-Length: ${size}\r\n\r\n${content}`, chunked, `${chunked}${GET}`]) {
      const client = new RawClient(port);
      client.socket.end(`POST / HTTP/1.1\r\nHost: a\r\n${rest}`);
      assert.match(await client.toEnd(), new RegExp(`^HTTP/1.1 200 OK\r\n(?:.+\r\n)*\r\n<${size}>`));
    }
  }
  const client = new RawClient(port);
  client.socket.end('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nshort');
  assert.match(await client.toEnd(), /^HTTP\/1\.1 400 /);
});

test('a half-closed client of HTTP/1.0 gets all of an answer that flows', async (t) => {
  const { port, body } = await quiet(t);
  const client = new RawClient(port);
  client.socket.end(GET_1_0);
  await client.until(/first$/);
  body.push('second');
  body.push(null);
  assert.match(await client.toEnd(), /firstsecond$/);
});

test('a reset is noticed at once: before the answer, in a pause of it and while it waits for the client', async (t) => {
  for (const stage of ['handling', 'pause', 'blocked'] as const) {
    const told = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { port } = await start(t, ({ signal }) => {
      signal.addEventListener('abort', () => told.resolve());
      begun.resolve();
      const body = new Readable({ read() {} });
      if (stage === 'handling') return new Promise(() => {});
      body.push(Buffer.alloc(stage === 'pause' ? 5 : 20_000_000));
      return { status: 200, headers: [], body };
    });
    const socket = connect(port, '127.0.0.1');
    socket.write(GET);
    await begun.promise;
    if (stage !== 'handling') await once(socket, 'readable');
    socket.resetAndDestroy();
    await told.promise;
  }
});

test('HTTP/2: a connection that ends, is closed or is reset takes its streams with it', async (t) => {
  for (const how of ['end', 'destroy', 'resetAndDestroy'] as const) {
    const { port, told, event } = await quiet(t, { http2: 'prior-knowledge' });
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const session = connectHttp2(`http://127.0.0.1:${port}`, { createConnection: () => socket });
    session.on('error', () => {});
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {});
    await once(stream, 'data');
    socket[how]();
    await told;
    const { aborted, error } = await event;
    assert.deepEqual({ aborted, error }, { aborted: true, error: undefined }, how);
    socket.destroy();
  }
});

test('an answer that fails half-way cannot be taken for whole, and is told where requests are not', async (t) => {
  for (const [request, looks] of [
    [GET, /first\r\n$/],
    [GET_1_0, /first$/],
  ] as const) {
    const { port, body, event } = await quiet(t, { failuresOnly: true });
    const client = new RawClient(port);
    const reset = once(client.socket, 'error');
    client.send(request);
    await client.until(/first/);
    body.destroy(new Error('no more of it'));
    assert.match(await client.toEnd(), looks);
    if (request === GET_1_0) assert.equal(((await reset)[0] as NodeJS.ErrnoException).code, 'ECONNRESET');
    const { status, aborted, error, reason } = await event;
    const expected = { status: 200, aborted: true, error: 'no more of it', reason: 'no more of it' };
    assert.deepEqual({ status, aborted, error, reason }, expected);
  }
});

test('HTTP/2: an answer that fails half-way resets its stream, and is told where requests are not', async (t) => {
  const { port, body, event } = await quiet(t, { failuresOnly: true, http2: 'prior-knowledge' });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  await once(stream, 'data');
  body.destroy(new Error('no more of it'));
  const [error] = await once(stream, 'error');
  assert.match(String(error), /NGHTTP2_INTERNAL_ERROR/);
  const { status, aborted, error: told } = await event;
  assert.deepEqual({ status, aborted, told }, { status: 200, aborted: true, told: 'no more of it' });
});
