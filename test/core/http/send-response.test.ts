import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fstatSync, openSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { HttpResponse, IncomingRequest } from '../../../src/core/http/messages.js';
import { testHandlerContract } from '../../helpers/handler-contract.js';
import { ask, exchange, open, parseAnswer } from '../../helpers/raw-http.js';
import { serve } from '../../helpers/servers.js';
import { tempDir } from '../../helpers/temp-dir.js';

const BIG = 20_000_000;

/** A server that gives every request the same answer. */
function answering(
  t: TestContext,
  answer: (request: IncomingRequest) => HttpResponse | Promise<HttpResponse>,
) {
  return serve(t, { handle: answer });
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield Buffer.alloc(64 * 1024);
}

testHandlerContract('a handler of plain answers', {
  create: () => ({
    handle({ path, body }) {
      if (path === '/small') return { status: 200, headers: [], body: 'small' };
      if (path === '/large') return { status: 200, headers: [], body: Readable.from(pieces(BIG)) };
      if (path === '/echo') return { status: 200, headers: [], body };
      if (path === '/repeated')
        return {
          status: 200,
          headers: [
            ['Set-Cookie', 'a=1'],
            ['Set-Cookie', 'b=2'],
          ],
        };
      if (path === '/failing') throw new Error('the secret reason');
      return { status: 404, headers: [] };
    },
  }),
  small: { path: '/small', body: 'small' },
  large: { path: '/large', sizeBytes: BIG },
  missing: '/missing',
  echo: '/echo',
  repeated: { path: '/repeated', name: 'Set-Cookie', values: ['a=1', 'b=2'] },
  failing: '/failing',
});

function* pieces(total: number): Generator<Buffer> {
  for (let left = total; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536));
}

test('names, order and repetition of header fields are kept as the handler wrote them', async (t) => {
  const headers = [
    ['X-One', '1'],
    ['x-two', '2'],
    ['X-One', '3'],
  ] as const;
  const { port } = await answering(t, () => ({ status: 200, headers, body: 'x' }));
  const { fields } = await ask(port, '/');
  assert.deepEqual(fields.slice(0, 3), headers);
});

test('a reason phrase of the handler is sent', async (t) => {
  const { port } = await answering(t, () => ({ status: 299, reason: 'Fine So Far', headers: [] }));
  assert.equal((await ask(port, '/')).reason, 'Fine So Far');
});

test('an answer without a body says that it has none', async (t) => {
  const { port } = await answering(t, () => ({ status: 200, headers: [] }));
  assert.equal((await ask(port, '/')).header('content-length'), '0');
});

test('204 and 304 have no body, and what was meant for one is closed', async (t) => {
  for (const status of [204, 304]) {
    const body = Readable.from(endless());
    const { port } = await answering(t, () => ({ status, headers: [], body }));
    const answer = await ask(port, '/');
    assert.equal(answer.status, status);
    assert.equal(answer.body.length, 0);
    assert.ok(body.destroyed);
  }
});

test('a part of a file is sent and its descriptor closed', async (t) => {
  const folder = tempDir(t, { file: '0123456789'.repeat(100_000) });
  const fds: number[] = [];
  const server = await answering(t, () => {
    const fd = openSync(join(folder, 'file'), 'r');
    fds.push(fd);
    return { status: 200, headers: [], body: { fd, offset: 5, length: 900_000 } };
  });
  const answer = await ask(server.port, '/');
  assert.equal(answer.header('content-length'), '900000');
  assert.equal(answer.text, '5678901234'.repeat(90_000));
  const head = await ask(server.port, '/', { method: 'HEAD' });
  assert.equal(head.header('content-length'), '900000');
  await server.nextRequest();
  await server.nextRequest();
  assert.deepEqual(fds.map(isOpen), [false, false]);
});

test('a file that becomes shorter while it is sent breaks the connection off', async (t) => {
  const folder = tempDir(t, { file: Buffer.alloc(BIG) });
  const path = join(folder, 'file');
  let fd = -1;
  const server = await answering(t, () => {
    fd = openSync(path, 'r');
    return { status: 200, headers: [], body: { fd, offset: 0, length: BIG } };
  });
  const socket = await open(server.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  const closed = once(socket, 'close');
  await once(socket, 'readable');
  truncateSync(path, 1000);
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  const event = await server.nextRequest();
  assert.match(event.error ?? '', /shorter/);
  assert.equal(event.aborted, true);
  await closed;
  assert.ok(received < BIG);
  assert.ok(!isOpen(fd));
});

test('a stream that fails before its first byte becomes a 500, its reason told to the log alone', async (t) => {
  const server = await answering(t, () => ({
    status: 200,
    headers: [['Content-Length', '10']],
    body: new Readable({ read: (): void => void 0, construct: (done) => done(new Error('the reason')) }),
  }));
  const answer = await ask(server.port, '/');
  assert.equal(answer.status, 500);
  assert.ok(!answer.text.includes('the reason'));
  assert.equal((await server.nextRequest()).error, 'the reason');
});

test('a stream that fails later breaks the connection off instead of pretending to be complete', async (t) => {
  const server = await answering(t, () => ({ status: 200, headers: [], body: Readable.from(failingLate()) }));
  const bytes = (
    await exchange(server.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n').catch(() => Buffer.alloc(0))
  ).toString();
  assert.ok(!bytes.endsWith('0\r\n\r\n'), bytes);
  assert.equal((await server.nextRequest()).error, 'too late');
});

async function* failingLate(): AsyncGenerator<string> {
  yield 'begun';
  throw new Error('too late');
}

test('a stream shorter or longer than announced never passes for a whole one', async (t) => {
  for (const [length, reason] of [
    ['10', /early/],
    ['2', /longer/],
  ] as const) {
    const headers = [['Content-Length', length]] as const;
    const server = await answering(t, () => ({ status: 200, headers, body: Readable.from(['12345']) }));
    await exchange(server.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n').catch(() => {});
    assert.match((await server.nextRequest()).error ?? '', reason);
  }
});

test('the head of a stream that is quiet at first is sent all the same', async (t) => {
  const body = new Readable({ read() {} });
  const server = await answering(t, () => ({ status: 200, headers: [['X-Head', 'sent']], body }));
  const socket = await open(server.port, 'GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
  const [head] = await once(socket, 'data');
  assert.match(String(head), /X-Head: sent/);
  body.push(null);
  await once(socket, 'end');
});

test('a header no message may hold becomes a 500, never a second header', async (t) => {
  const headers = [['X-Bad', 'a\r\nX-Injected: b']] as const;
  const server = await answering(t, () => ({ status: 200, headers, body: 'x' }));
  const answer = await ask(server.port, '/');
  assert.equal(answer.status, 500);
  assert.equal(answer.header('x-injected'), undefined);
});

test('the handler cannot change how the connection is framed', async (t) => {
  const headers = [
    ['Transfer-Encoding', 'gzip'],
    ['Connection', 'upgrade'],
  ] as const;
  const { port } = await answering(t, () => ({ status: 200, headers, body: 'x' }));
  const answer = await ask(port, '/');
  assert.equal(answer.header('transfer-encoding'), undefined);
  assert.equal(answer.header('connection'), 'close');
  assert.equal(answer.text, 'x');
});

test('pipelined requests are answered in order, one after the other', async (t) => {
  let running = 0;
  const { port } = await answering(t, async ({ path }) => {
    running += 1;
    assert.equal(running, 1);
    await new Promise(setImmediate);
    running -= 1;
    return { status: 200, headers: [], body: path };
  });
  const request = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: test\r\n${more}\r\n`;
  const bytes = await exchange(port, request('/1') + request('/2') + request('/3', 'Connection: close\r\n'));
  const bodies = bytes.toString().split('HTTP/1.1 200 OK').slice(1);
  assert.deepEqual(
    bodies.map((text) => parseAnswer(Buffer.from(`HTTP/1.1 200 OK${text}`)).text),
    ['/1', '/2', '/3'],
  );
});
