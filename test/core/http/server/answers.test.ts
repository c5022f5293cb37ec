import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HttpResponse } from '../../../../src/core/http/messages.js';
import { exchange, RawClient, start, statuses, text } from './raw.js';

const LAST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const HEAD = LAST.replace('GET', 'HEAD');

/** What one answer looks like on the wire. */
async function sent(
  t: TestContext,
  response: HttpResponse | (() => HttpResponse),
  request = LAST,
): Promise<string> {
  const { port } = await start(t, () => (typeof response === 'function' ? response() : response));
  return exchange(port, request);
}

const bodyOf = (received: string): string => received.slice(received.indexOf('\r\n\r\n') + 4);
const headOf = (received: string): string => received.slice(0, received.indexOf('\r\n\r\n'));

test('a body of known size is sent with its length, in one piece', async (t) => {
  for (const [body, bytes] of [
    ['text', 'text'],
    ['é€', Buffer.from('é€').toString('latin1')],
    [Buffer.from([0, 255, 10]), '\0\xff\n'],
    [new Uint8Array([65, 66]), 'AB'],
    ['', ''],
    [Buffer.alloc(100_000, 'b'), 'b'.repeat(100_000)],
  ] as const) {
    const received = await sent(t, { status: 200, headers: [['X-A', 'b']], body });
    assert.equal(bodyOf(received), bytes);
    assert.match(
      headOf(received),
      new RegExp(`^HTTP/1\\.1 200 OK\r\nDate: [^\r]+ GMT\r\nX-A: b\r\nContent-Length: ${bytes.length}\r\n`),
    );
  }
});

test('a stream is sent in chunks, or to the end of the connection for HTTP/1.0', async (t) => {
  const stream = () => ({
    status: 200,
    headers: [],
    body: Readable.from([Buffer.from('abc'), 'é', Buffer.alloc(0)]),
  });
  const received = await sent(t, stream);
  assert.match(headOf(received), /\r\nTransfer-Encoding: chunked\r\n/);
  assert.equal(bodyOf(received), '3\r\nabc\r\n2\r\n\xc3\xa9\r\n0\r\n\r\n');
  const old = await sent(t, stream, 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.match(headOf(old), /\r\nConnection: close/);
  assert.equal(bodyOf(old), 'abc\xc3\xa9');
});

test('a stream with a length keeps to it: more is cut and fewer breaks the connection', async (t) => {
  const withLength = (length: number) => () => ({
    status: 200,
    headers: [['content-length', String(length)] as const],
    body: Readable.from([Buffer.from('abc'), Buffer.from('def')]),
  });
  assert.equal(bodyOf(await sent(t, withLength(6))), 'abcdef');
  assert.equal(bodyOf(await sent(t, withLength(9))), 'abcdef');
  assert.equal(bodyOf(await sent(t, withLength(4))), 'abc');
});

test('trailers follow the last chunk', async (t) => {
  const received = await sent(t, () => ({
    status: 200,
    headers: [],
    body: Readable.from([Buffer.from('abc')]),
    trailers: () => [['X-Sum', '1']],
  }));
  assert.equal(bodyOf(received), '3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n');
});

test('trailers that take their time are waited for, though the stream has closed', async (t) => {
  const body = new Readable({ read() {} });
  body.push('abc');
  body.push(null);
  const trailers = async () => {
    await nextTurn();
    return [['X-Sum', '1']] as const;
  };
  const received = await sent(t, () => ({ status: 200, headers: [], body, trailers }));
  assert.equal(bodyOf(received), '3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n');
});

test('HEAD, 204, 205 and 304 have no body, and their sources are let go of', async (t) => {
  const sources: Readable[] = [];
  const stream = (status: number) => () => {
    const body = Readable.from([Buffer.from('abc')]);
    sources.push(body);
    return { status, headers: [], body };
  };
  for (const status of [204, 304, 205]) assert.equal(bodyOf(await sent(t, stream(status))), '');
  assert.equal(bodyOf(await sent(t, stream(200), HEAD)), '');
  assert.ok(sources.every((source) => source.destroyed));
  assert.doesNotMatch(await sent(t, { status: 204, headers: [['Content-Length', '3']] }), /Content-Length/i);
  assert.match(
    await sent(t, { status: 200, headers: [['Content-Length', '7']] }, HEAD),
    /\r\nContent-Length: 7\r\n/,
  );
  assert.match(await sent(t, { status: 200, headers: [], body: 'abc' }, HEAD), /\r\nContent-Length: 3\r\n/);
});

test('what cannot be sent as it is becomes a 500 that says nothing', async (t) => {
  const answers: HttpResponse[] = [
    { status: 200, headers: [['X-A', 'a\r\nX-B: b']] },
    { status: 200, headers: [['X-A', 'a\nb']] },
    { status: 200, headers: [['X-A', 'a\0b']] },
    { status: 200, headers: [['X-A', '€']] },
    { status: 200, headers: [['X A', 'b']] },
    { status: 200, headers: [['', 'b']] },
    { status: 200, headers: [], reason: 'a\r\nb' },
    { status: 200, headers: [['Content-Length', '1, 2']] },
    { status: 200, headers: [['Content-Length', '5']], body: 'abc' },
    { status: 100, headers: [] },
    { status: 999, headers: [] },
    { status: Number.NaN, headers: [] },
    undefined as unknown as HttpResponse,
    { status: 200 } as HttpResponse,
  ];
  for (const answer of answers) {
    const received = await sent(t, answer);
    assert.deepEqual(statuses(received), [500], JSON.stringify(answer));
    assert.doesNotMatch(received, /X-B|Error:/);
  }
});

test('a handler that throws or rejects is a 500; the reason goes to the event alone', async (t) => {
  for (const fail of [
    () => {
      throw new Error('secret');
    },
    () => Promise.reject(new Error('secret')),
  ]) {
    const { port, events } = await start(t, fail);
    const received = await exchange(port, LAST);
    assert.deepEqual(statuses(received), [500]);
    assert.doesNotMatch(received, /secret/);
    assert.equal(events.find((event) => event.type === 'request')?.error, 'secret');
  }
});

test('a stream that fails at once is a 500; one that fails later breaks the connection', async (t) => {
  const early = await sent(t, () => ({
    status: 200,
    headers: [],
    body: new Readable({
      read() {
        this.destroy(new Error('broken'));
      },
    }),
  }));
  assert.deepEqual(statuses(early), [500]);
  const late = await sent(t, () => ({
    status: 200,
    headers: [],
    body: Readable.from(
      (function* () {
        yield Buffer.from('abc');
        throw new Error('broken');
      })(),
    ),
  }));
  assert.deepEqual(statuses(late), [200]);
  assert.doesNotMatch(late, /0\r\n\r\n$/);
});

test('the framing is not the handler’s to decide', async (t) => {
  const received = await sent(t, {
    status: 200,
    headers: [
      ['Transfer-Encoding', 'chunked'],
      ['Connection', 'keep-alive'],
      ['Keep-Alive', 'timeout=5'],
      ['Date', 'yesterday'],
    ],
    body: 'abc',
  });
  assert.equal(
    headOf(received),
    'HTTP/1.1 200 OK\r\nDate: yesterday\r\nContent-Length: 3\r\nConnection: close',
  );
});

test('early hints go ahead of the answer', async (t) => {
  const { port } = await start(t, async (request) => {
    request.earlyHints?.([['Link', '</a.css>; rel=preload']]);
    await new Promise((resolve) => setImmediate(resolve));
    return text('x');
  });
  assert.match(
    await exchange(port, LAST),
    /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 /,
  );
  assert.match(await exchange(port, 'GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

test('the source of an answer is let go of when the client leaves', async (t) => {
  const gone = Promise.withResolvers<void>();
  const { port } = await start(t, () => ({
    status: 200,
    headers: [],
    body: new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
      destroy(error, done) {
        gone.resolve();
        done(error);
      },
    }),
  }));
  const client = new RawClient(port);
  client.send(LAST);
  await client.until(/200 OK/);
  client.socket.resetAndDestroy();
  await gone.promise;
});

async function withFile(t: TestContext, size: number): Promise<{ path: string; content: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'engine-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'file');
  const content = randomBytes(size);
  writeFileSync(path, content);
  return { path, content };
}

test('parts of files of any size arrive exactly, and their descriptors are closed', async (t) => {
  const { path, content } = await withFile(t, 3_000_000);
  let part = { offset: 0, length: 0 };
  const { port } = await start(t, () => ({
    status: 200,
    headers: [],
    body: { fd: openSync(path, 'r'), ...part },
  }));
  const before = countDescriptors();
  for (const [offset, length] of [
    [0, 0],
    [5, 1],
    [0, 65_536],
    [1, 65_537],
    [0, 3_000_000],
    [999_999, 2_000_001],
  ] as const) {
    part = { offset, length };
    const received = await exchange(port, LAST);
    assert.ok(
      Buffer.from(bodyOf(received), 'latin1').equals(content.subarray(offset, offset + length)),
      `${offset}+${length}`,
    );
  }
  assert.equal(bodyOf(await exchange(port, HEAD)), '');
  for (let index = 0; index < 20; index += 1) {
    const client = new RawClient(port);
    client.socket.once('data', () => client.socket.resetAndDestroy());
    client.send(LAST);
    await client.toEnd();
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(countDescriptors() <= before + 1, `${before} descriptors before, ${countDescriptors()} after`);
});

test('an answer that is given again keeps its head only where nothing about it differs', async (t) => {
  const headers = Object.freeze([['X-A', 'b']] as const);
  const body = Buffer.from('abc');
  const answers: Record<string, HttpResponse> = {
    '/': { status: 200, headers, body },
    '/other': { status: 200, headers, body: Buffer.from('longer') },
    '/made': { status: 201, headers, body },
    '/same': { status: 304, headers },
  };
  const { port } = await start(t, (request) => answers[request.target] as HttpResponse);
  const ask = (line: string) => `${line}\r\nHost: a\r\n\r\n`;
  const received = await exchange(
    port,
    ask('GET / HTTP/1.1').repeat(2) +
      ask('GET /other HTTP/1.1') +
      ask('GET /made HTTP/1.1') +
      ask('GET /same HTTP/1.1').repeat(2) +
      ask('HEAD / HTTP/1.1') +
      ask('GET / HTTP/1.1') +
      ask('GET / HTTP/1.0'),
  );
  assert.deepEqual(
    [...received.matchAll(/HTTP\/1\.1 (\d+) .*?\r\n\r\n([a-z]*)/gs)].map(([head, status, content]) =>
      [status, /Content-Length: (\d+)/.exec(head)?.[1], content, /Connection: (\w+)/.exec(head)?.[1]].join(),
    ),
    [
      '200,3,abc,',
      '200,3,abc,',
      '200,6,longer,',
      '201,3,abc,',
      '304,,,',
      '304,,,',
      '200,3,,',
      '200,3,abc,',
      '200,3,abc,close',
    ],
  );
});

test('who stops reading a large file is let go of, and so are the descriptors', async (t) => {
  const { path } = await withFile(t, 30_000_000);
  const { port, server } = await start(
    t,
    () => ({ status: 200, headers: [], body: { fd: openSync(path, 'r'), offset: 0, length: 30_000_000 } }),
    { timers: { sendMs: 100 } },
  );
  const before = countDescriptors();
  const client = new RawClient(port);
  client.socket.pause();
  client.send(LAST);
  await once(client.socket, 'connect');
  while (server.requests === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  client.socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(countDescriptors() <= before, `${before} descriptors before, ${countDescriptors()} after`);
});

test('a file that shrinks under way breaks the answer, and one that is too short is a 500', async (t) => {
  const { path } = await withFile(t, 1000);
  const large = await withFile(t, 30_000_000);
  const { port } = await start(t, (request) =>
    request.target === '/small'
      ? { status: 200, headers: [], body: { fd: openSync(path, 'r'), offset: 0, length: 2000 } }
      : { status: 200, headers: [], body: { fd: openSync(large.path, 'r'), offset: 0, length: 30_000_000 } },
  );
  assert.deepEqual(statuses(await exchange(port, LAST.replace('/ ', '/small '))), [500]);
  const client = new RawClient(port);
  client.socket.pause();
  client.send(LAST);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const fd = openSync(large.path, 'r+');
  ftruncateSync(fd, 1000);
  closeSync(fd);
  client.socket.resume();
  assert.ok((await client.toEnd()).length < 30_000_000);
});

test('files in a pipeline leave in order', async (t) => {
  const { path, content } = await withFile(t, 200_000);
  const { port } = await start(t, (request) =>
    request.target === '/'
      ? text('end')
      : { status: 200, headers: [], body: { fd: openSync(path, 'r'), offset: 0, length: 200_000 } },
  );
  const received = await exchange(port, 'GET /f HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3) + LAST);
  assert.deepEqual(statuses(received.replaceAll(content.toString('latin1'), '')), [200, 200, 200, 200]);
  assert.match(received, /end$/);
});

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
