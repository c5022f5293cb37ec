import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { NettoolError } from '../../../src/core/errors.js';
import { collect } from '../../../src/core/http/body.js';
import { type ClientResponse, type SendOptions, send } from '../../../src/core/http/client.js';
import type { HeaderList } from '../../../src/core/http/messages.js';
import { closedPort, listen, startFixedStub, startStub } from '../../helpers/stub-server.js';
import { tempDir } from '../../helpers/temp-dir.js';

const OPTIONS: SendOptions = { connectTimeoutMs: 10_000, idleTimeoutMs: 60_000 };

interface Call extends Partial<SendOptions> {
  readonly method?: string;
  readonly headers?: HeaderList;
  readonly body?: Readable | string;
  readonly signal?: AbortSignal;
}

function call(url: string, options: Call = {}): Promise<ClientResponse> {
  const { method = 'GET', headers = [], body, signal = new AbortController().signal, ...rest } = options;
  const request = { method, url: new URL(url), headers, signal, ...(body === undefined ? {} : { body }) };
  return send(request, { ...OPTIONS, ...rest });
}

/** Sends, reads the body to its end, and gives back what failed on the way. */
async function failureOf(url: string, options?: Call): Promise<NettoolError> {
  try {
    const response = await call(url, options);
    await collect(response.body, 2 ** 30);
  } catch (error) {
    return error as NettoolError;
  }
  throw new assert.AssertionError({ message: 'nothing failed' });
}

const read = async (response: ClientResponse): Promise<string> =>
  (await collect(response.body, 2 ** 30)).toString();

test('header fields keep their names, order and duplicates, and their UTF-8', async (t) => {
  const { url } = await startFixedStub(
    t,
    Buffer.concat([
      Buffer.from('HTTP/1.1 200 Very Well\r\nX-b: 1\r\nX-A: 2\r\nx-B: zwei é\r\nX-Latin: '),
      Buffer.from([0xe9]),
      Buffer.from('\r\n__proto__: x\r\nContent-Length: 2\r\n\r\nok'),
    ]),
  );
  const response = await call(url);
  assert.equal(response.status, 200);
  assert.equal(response.reason, 'Very Well');
  assert.deepEqual(response.headers, [
    ['X-b', '1'],
    ['X-A', '2'],
    ['x-B', 'zwei é'],
    ['X-Latin', 'é'],
    ['__proto__', 'x'],
    ['Content-Length', '2'],
  ]);
  assert.equal(await read(response), 'ok');
  assert.equal(response.wireSizeBytes, 2);
  assert.equal(response.remoteAddress, '127.0.0.1');
  assert.equal(response.remotePort, Number(new URL(url).port));
});

test('header values are sent as UTF-8, in order, with their own spelling', async (t) => {
  const { url, requests } = await startFixedStub(t, 'HTTP/1.1 204 No Content\r\n\r\n');
  const response = await call(`${url}/a?b=c#d`, {
    headers: [
      ['X-One', 'é'],
      ['x-two', '2'],
      ['X-One', ''],
    ],
  });
  await read(response);
  const lines = Buffer.from(requests[0] ?? '', 'latin1')
    .toString()
    .split('\r\n');
  assert.equal(lines[0], 'GET /a?b=c HTTP/1.1');
  assert.deepEqual(lines.slice(3, 6), ['X-One: é', 'x-two: 2', 'X-One: ']);
});

test('timings grow from step to step and the total is known at the end', async (t) => {
  const { url } = await startStub(t, (socket) => {
    setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no'), 60);
    setTimeout(() => socket.write('k'), 120);
  });
  const response = await call(url);
  const { dnsMs, connectMs, tlsMs, firstByteMs, totalMs } = response.timings;
  assert.ok(dnsMs <= connectMs && connectMs <= firstByteMs, JSON.stringify(response.timings));
  assert.equal(tlsMs, null);
  assert.equal(totalMs, null);
  assert.ok(firstByteMs >= 59, String(firstByteMs));
  await read(response);
  assert.ok((response.timings.totalMs ?? 0) >= firstByteMs + 50);
});

test('the HTTP version is told, also when the first bytes come one by one', async (t) => {
  const { url } = await startStub(t, async (socket) => {
    for (const byte of 'HTTP/1.0 200 OK\r\n\r\nold') {
      socket.write(byte);
      await new Promise((done) => setImmediate(done));
    }
    socket.end();
  });
  const response = await call(url);
  assert.equal(response.httpVersion, '1.0');
  assert.equal(await read(response), 'old');
});

test('interim answers are passed over, an unasked 100 Continue too', async (t) => {
  const { url } = await startStub(t, async (socket) => {
    for (const part of [
      'HTTP/1.1 100 Conti',
      'nue\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n',
    ]) {
      socket.write(part);
      await new Promise((done) => setTimeout(done, 10));
    }
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const response = await call(url);
  assert.equal(response.status, 200);
  assert.deepEqual(response.headers, [['Content-Length', '2']]);
  assert.equal(await read(response), 'ok');
});

test('a streamed body is sent in chunks, one of known length with that', async (t) => {
  const server = createHttpServer((req, res) => {
    let received = '';
    req.on('data', (chunk) => {
      received += chunk;
    });
    req.on('end', () =>
      res.end(`${req.headers['transfer-encoding']} ${req.headers['content-length']} ${received}`),
    );
  });
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const chunked = await call(url, { method: 'POST', body: Readable.from(['a', 'b']) });
  assert.equal(await read(chunked), 'chunked undefined ab');
  const sized = await call(url, { method: 'POST', body: 'abc' });
  assert.equal(await read(sized), 'undefined 3 abc');
  const get = await call(url, { method: 'GET', body: 'abc' });
  assert.equal(await read(get), 'undefined 3 abc');
});

test('a large body arrives whole though it is read slowly, and memory does not hold it', async (t) => {
  const size = 64 * 2 ** 20;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      let left = size;
      const more = (): void => {
        while (left > 0) {
          left -= 2 ** 16;
          if (!socket.write(Buffer.alloc(2 ** 16))) return;
        }
      };
      socket.on('drain', more);
      more();
    });
  });
  const response = await call(`http://127.0.0.1:${await listen(t, server)}`);
  await new Promise((done) => setTimeout(done, 100));
  assert.ok(response.wireSizeBytes < 2 ** 20, `${response.wireSizeBytes} bytes were taken without a reader`);
  let received = 0;
  for await (const chunk of response.body) received += chunk.length;
  assert.equal(received, size);
});

const FAILURES: ReadonlyArray<readonly [what: string, reply: string, code: string, message: RegExp]> = [
  ['nothing at all', '', 'EMPTY_REPLY', /closed without a reply/],
  ['half a head', 'HTTP/1.1 200 OK\r\nX: ', 'CONNECTION_BROKEN', /middle of the header/],
  ['half a status line', 'HT', 'CONNECTION_BROKEN', /middle of the header/],
  ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n', 'MALFORMED_REPLY', /did not answer in HTTP/],
  ['a control byte in a field', 'HTTP/1.1 200 OK\r\nX: \x1b[2J\r\n\r\n', 'MALFORMED_REPLY', /header field/],
  [
    'two lengths that differ',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc',
    'MALFORMED_REPLY',
    /Content-Length/i,
  ],
  [
    'a chunk size that is none',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nxyz\r\n',
    'MALFORMED_REPLY',
    /chunk size/,
  ],
  [
    'an endless field',
    `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(300_000)}`,
    'MALFORMED_REPLY',
    /head .* too large/,
  ],
  [
    'endless fields',
    `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(200_000)}`,
    'MALFORMED_REPLY',
    /head .* too large/,
  ],
  ['an endless status line', `HTTP/1.1 200 ${'a'.repeat(700_000)}`, 'MALFORMED_REPLY', /head .* too large/],
  ['endless interim answers', 'HTTP/1.1 103 Hi\r\n\r\n'.repeat(50), 'MALFORMED_REPLY', /interim/],
  [
    'an unasked upgrade',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'MALFORMED_REPLY',
    /./,
  ],
  ['a short body', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc', 'TRUNCATED', /3 of 1000 bytes/],
  [
    'a short body and Connection: close',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nabc',
    'TRUNCATED',
    /3 of 1000 bytes/,
  ],
  [
    'no last chunk',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
    'TRUNCATED',
    /2 bytes/,
  ],
  [
    'half a chunk and Connection: close',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nok\r\n',
    'TRUNCATED',
    /4 bytes/,
  ],
];

for (const [what, reply, code, message] of FAILURES) {
  test(`a server that sends ${what} and closes is ${code}`, async (t) => {
    const { url } = await startFixedStub(t, reply);
    const failure = await failureOf(url);
    assert.equal(failure.code, code, failure.message);
    assert.match(failure.message, message);
    assert.doesNotMatch(failure.message, /[\x00-\x1f]/);
  });
}

for (const [when, reply] of [
  ['before a byte', ''],
  ['in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'],
  ['in a body without a length', 'HTTP/1.1 200 OK\r\n\r\nabc'],
] as const) {
  test(`a reset ${when} is CONNECTION_BROKEN`, async (t) => {
    const { url } = await startStub(t, (socket) => {
      socket.write(reply);
      setTimeout(() => socket.resetAndDestroy(), 30);
    });
    const failure = await failureOf(url);
    assert.equal(failure.code, 'CONNECTION_BROKEN');
    assert.match(failure.message, /reset by peer/);
  });
}

test('a refused connection names every address that was tried', async () => {
  const port = await closedPort();
  const failure = await failureOf(`http://localhost:${port}/`);
  assert.equal(failure.code, 'CONNECTION_REFUSED');
  assert.match(failure.message, new RegExp(`^cannot connect to localhost:${port} \\(connection refused`));
  const literal = await failureOf(`http://127.0.0.1:${port}/`);
  assert.equal(literal.message, `cannot connect to 127.0.0.1:${port} (connection refused)`);
});

test('a name that does not resolve is a DNS failure', async () => {
  const failure = await failureOf('http://no-such-host.invalid/');
  assert.match(failure.code, /^DNS_/);
  assert.match(failure.message, /cannot resolve no-such-host\.invalid/);
});

test('a transfer whose process was stopped for longer than the time-out goes on', async (t) => {
  const idleTimeoutMs = 321;
  const isWaitedAnew = Promise.withResolvers<void>();
  const server = createHttpServer(async (_request, response) => {
    response.write('a');
    await isWaitedAnew.promise;
    response.end('b');
  });
  const response = await call(`http://127.0.0.1:${await listen(t, server)}/`, { idleTimeoutMs });
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 3_600_000);
  const wait = Socket.prototype.setTimeout;
  t.mock.method(Socket.prototype, 'setTimeout', function (this: Socket, ...args: [number, () => void]) {
    if (args[0] === idleTimeoutMs) isWaitedAnew.resolve();
    return wait.apply(this, args);
  });
  assert.equal(await read(response), 'ab');
});

test('a server that accepts and says nothing times out, to 50 ms', async (t) => {
  const { url } = await startStub(t, () => {});
  const startedAt = performance.now();
  const failure = await failureOf(url, { idleTimeoutMs: 200 });
  const tookMs = performance.now() - startedAt;
  assert.equal(failure.code, 'TIMEOUT');
  assert.match(failure.message, /did not answer for 0\.2 s/);
  assert.ok(tookMs >= 195 && tookMs < 5000, `${tookMs} ms`);
});

test('a body that stands still times out, a slow one does not', async (t) => {
  const { url } = await startStub(t, (socket, request) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n');
    let sent = 0;
    const timer = setInterval(() => {
      socket.write('x');
      sent += 1;
      if (sent === (request.startsWith('GET /slow') ? 6 : 2)) clearInterval(timer);
    }, 80);
  });
  assert.equal(await read(await call(`${url}/slow`, { idleTimeoutMs: 200 })), 'xxxxxx');
  const failure = await failureOf(`${url}/stalls`, { idleTimeoutMs: 200 });
  assert.equal(failure.code, 'TIMEOUT');
  assert.match(failure.message, /stood still for 0\.2 s/);
});

test('a reader that takes its time is not a transfer that stands still', async (t) => {
  const size = 4 * 2 ** 20;
  const { url } = await startStub(t, (socket) => {
    socket.end(
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`), Buffer.alloc(size)]),
    );
  });
  const response = await call(url, { idleTimeoutMs: 100 });
  await new Promise((done) => setTimeout(done, 300));
  assert.equal((await collect(response.body, 2 ** 30)).length, size);
});

test('an abort ends the request at once, with its reason', async (t) => {
  const { url } = await startStub(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
  );
  const stopper = new AbortController();
  const response = await call(url, { signal: stopper.signal });
  const { NettoolError } = await import('../../../src/core/errors.js');
  setTimeout(() => stopper.abort(new NettoolError('INTERRUPTED', 'interrupted')), 30);
  await assert.rejects(collect(response.body, 100), { code: 'INTERRUPTED' });
});

test('a field that is ours to send is a usage error', async (t) => {
  const server = createHttpServer((_req, res) => res.end());
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const failure = await failureOf(url, { headers: [['Expect', '100-continue']] });
  assert.equal(failure.code, 'USAGE');
});

function certificate(name: string): { key: Buffer; cert: Buffer } {
  const folder = new URL('../../fixtures/certs/', import.meta.url);
  return {
    key: readFileSync(new URL(`${name}.key`, folder)),
    cert: readFileSync(new URL(`${name}.crt`, folder)),
  };
}

async function startTls(t: TestContext, name: string): Promise<number> {
  const server = createTlsServer({ ...certificate(name), ALPNProtocols: ['http/1.1'] }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nX-Alpn: ${socket.alpnProtocol}\r\n\r\nsafe`));
  });
  server.on('tlsClientError', () => {});
  return listen(t, server);
}

test('a certificate whose issuer is given is trusted, under its name and its address', async (t) => {
  const port = await startTls(t, 'localhost');
  const ca = certificate('localhost').cert.toString();
  for (const host of ['localhost', '127.0.0.1']) {
    const response = await call(`https://${host}:${port}/`, { tls: { ca } });
    assert.equal(await read(response), 'safe');
    assert.deepEqual(response.headers, [['X-Alpn', 'http/1.1']]);
    assert.ok((response.timings.tlsMs ?? 0) >= response.timings.connectMs);
  }
});

test('what is wrong with a certificate is said, and insecure speaks to it all the same', async (t) => {
  const selfSigned = `https://localhost:${await startTls(t, 'localhost')}/`;
  const failure = await failureOf(selfSigned);
  assert.equal(failure.code, 'TLS_CERTIFICATE');
  assert.match(failure.message, /it is self-signed/);
  assert.equal(await read(await call(selfSigned, { tls: { insecure: true } })), 'safe');

  const other = await failureOf(`https://localhost:${await startTls(t, 'other')}/`, {
    tls: { ca: certificate('other').cert.toString() },
  });
  assert.equal(other.code, 'TLS_CERTIFICATE');
  assert.match(other.message, /it is for other\.example, \*\.other\.example, not for localhost/);

  const expired = await failureOf(`https://localhost:${await startTls(t, 'expired')}/`, {
    tls: { ca: certificate('expired').cert.toString() },
  });
  assert.equal(expired.code, 'TLS_CERTIFICATE');
  assert.match(expired.message, /expired \(valid to Jan {2}2 00:00:00 2020 GMT\)/);
});

test('a key that is too short is named, and other failures of TLS have their hints', async (t) => {
  const folder = tempDir(t);
  const request = 'req -x509 -newkey rsa:1024 -nodes -keyout key -out crt -days 2 -subj /CN=localhost';
  execFileSync('openssl', [...request.split(' '), '-addext', 'subjectAltName=DNS:localhost'], {
    cwd: folder,
    stdio: 'pipe',
  });
  const [key, cert] = ['key', 'crt'].map((name) => readFileSync(join(folder, name)));
  const tls = (options: TlsOptions) => {
    const server = createTlsServer({ ...certificate('localhost'), ...options });
    server.on('tlsClientError', () => {});
    return listen(t, server);
  };
  const weak = await tls({ key, cert, ciphers: 'DEFAULT@SECLEVEL=0' });
  const weakness = await failureOf(`https://localhost:${weak}/`, { tls: { ca: String(cert) } });
  assert.match(weakness.message, /its key is too short \(1024 bits\)/);

  const trusting = { ca: certificate('localhost').cert.toString() };
  const old = await failureOf(`https://localhost:${await tls({ maxVersion: 'TLSv1.2' })}/`, {
    tls: { ...trusting, minVersion: '1.3' },
  });
  assert.match(old.hint ?? '', /does not speak TLS 1\.3 or newer/);

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const port = await tls({ requestCert: true, maxVersion });
    const refused = await failureOf(`https://localhost:${port}/`, { tls: trusting });
    assert.deepEqual([refused.code, refused.hint?.includes('--cert FILE')], ['TLS_HANDSHAKE', true]);
  }
});

test('https to a server that speaks plain http is a failed handshake', async (t) => {
  const server = createHttpServer((_req, res) => res.end());
  const failure = await failureOf(`https://127.0.0.1:${await listen(t, server)}/`);
  assert.equal(failure.code, 'TLS_HANDSHAKE');
  assert.match(failure.hint ?? '', /plain http/);
});

test('a server that closes or is mute during the handshake does not hang us', async (t) => {
  const closing = await listen(
    t,
    createServer((socket) => socket.end()),
  );
  assert.equal((await failureOf(`https://127.0.0.1:${closing}/`)).code, 'TLS_HANDSHAKE');
  const mute = await listen(
    t,
    createServer(() => {}),
  );
  const startedAt = performance.now();
  const failure = await failureOf(`https://127.0.0.1:${mute}/`, { connectTimeoutMs: 200 });
  const tookMs = performance.now() - startedAt;
  assert.equal(failure.code, 'TIMEOUT');
  assert.match(failure.message, /cannot connect to 127\.0\.0\.1:\d+ \(timed out after 0\.2 s\)/);
  assert.ok(tookMs >= 195 && tookMs < 5000, `${tookMs} ms`);
});
