import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, Readable } from 'node:stream';
import { after, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { IncomingRequest } from '../../../../src/core/http/messages.js';
import { serveHttp } from '../../../../src/core/http/server/index.js';
import type { ServerEvent } from '../../../../src/core/http/server-types.js';
import { exchange, RawClient, start, statuses, text } from './raw.js';

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
after(() => rmSync(folder, { recursive: true }));

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const who = (request: IncomingRequest) =>
  text(
    `${request.remoteAddress}:${request.remotePort} ${request.localAddress}:${request.localPort} ${request.scheme}`,
  );

function makeIdentity(name: string): { cert: Buffer; key: Buffer } {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const options = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=${name}`;
  execFileSync('openssl', [...options.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { cert: readFileSync(cert), key: readFileSync(key) };
}
const tls = makeIdentity('one');

async function overTls(
  port: number,
  bytes: string,
  alpn: string[] = [],
): Promise<{ received: string; socket: TLSSocket }> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: alpn });
  let received = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    received += piece;
  });
  socket.write(bytes);
  await once(socket, 'end');
  return { received, socket };
}

test('TLS: requests are answered, and the handler can tell', async (t) => {
  const { port, server } = await start(t, (request) => text(`${request.scheme} ${request.tls?.protocol}`), {
    tls,
  });
  assert.match(server.url, /^https:/);
  const { received, socket } = await overTls(port, GET + GET);
  assert.match(received, /200 OK[\s\S]*https TLSv1\.3$/);
  socket.destroy();
});

test('TLS: a plain request on the same port is sent to https', async (t) => {
  const { port, seen } = await start(t, undefined, { tls });
  const received = await exchange(port, 'GET /a?b HTTP/1.1\r\nHost: example.test:80\r\n\r\n');
  assert.match(received, /^HTTP\/1\.1 308 /);
  assert.match(received, new RegExp(`\r\nLocation: https://example\\.test:${port}/a\\?b\r\n`));
  assert.match(
    await exchange(port, 'GET //evil HTTP/1.1\r\nHost: a\r\n\r\n'),
    /Location: https:\/\/a:\d+\/\/evil\r\n/,
  );
  assert.deepEqual(statuses(await exchange(port, 'nonsense\r\n\r\n')), [400]);
  assert.deepEqual(seen, []);
});

test('TLS: a client that leaves in the middle of the handshake is gone at once', async (t) => {
  const { port } = await start(t, undefined, { tls, timers: { headMs: 60_000 } });
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume();
  // The start of a ClientHello, and the end of the connection.
  client.end(Buffer.from('1603010200010001fc0303', 'hex'));
  await once(client, 'close', { signal: AbortSignal.timeout(20_000) });
});

test('TLS: another certificate serves the connections to come', async (t) => {
  const { port, server } = await start(t, undefined, { tls });
  server.setTlsIdentity(makeIdentity('two'));
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  assert.equal(socket.getPeerCertificate().subject.CN, 'two');
  socket.destroy();
  assert.throws(() => server.setTlsIdentity({ cert: 'x', key: 'y' }), { code: 'TLS_HANDSHAKE' });
});

test('TLS: an upgraded connection is the handler\u2019s, byte for byte', async (t) => {
  const upgrade = async (_request: IncomingRequest, socket: Duplex, head: Buffer) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n\r\n${head}`);
    socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
  };
  const { port } = await start(t, { handle: () => text('plain'), upgrade }, { tls });
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  let received = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    received += piece;
  });
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nearly');
  while (!received.endsWith('early')) await once(socket, 'data');
  socket.write('late');
  while (!received.endsWith('LATE')) await once(socket, 'data');
  socket.destroy();
});

test('TLS: a handshake that stands still is cut off', async (t) => {
  const { port } = await start(t, undefined, { tls, timers: { headMs: 80 } });
  assert.equal(await exchange(port, '\x16\x03\x01'), '');
  assert.equal(await exchange(port, ''), '');
});

async function ask(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body?: string,
): Promise<{
  status: number;
  text: string;
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
}> {
  const stream = session.request(headers, { endStream: body === undefined });
  let [all, answer, trailers] = ['', {} as Record<string, unknown>, {} as Record<string, unknown>];
  stream.setEncoding('latin1');
  stream.on('error', () => {});
  stream.on('data', (piece) => {
    all += piece;
  });
  stream.on('response', (fields) => {
    answer = fields;
  });
  stream.on('trailers', (fields) => {
    trailers = fields;
  });
  if (body !== undefined) stream.end(body);
  await new Promise((resolve) => stream.on('close', resolve));
  return { status: Number(answer[':status'] ?? 0), text: all, headers: answer, trailers };
}

async function http2Echo(request: IncomingRequest) {
  let size = 0;
  for await (const chunk of request.body) size += (chunk as Buffer).length;
  if (request.path === '/file') {
    return {
      status: 200,
      headers: [],
      body: { fd: openSync('/proc/self/exe', 'r'), offset: 10, length: 300_000 },
    };
  }
  if (request.path === '/stream') {
    const trailers = () => [['X-Sum', '1'] as const];
    return {
      status: 200,
      headers: [
        ['Set-Cookie', 'a'],
        ['Set-Cookie', 'b'],
      ] as const,
      body: Readable.from(['abc', 'def']),
      trailers,
    };
  }
  if (request.path === '/fail') throw new Error('secret');
  return text(
    `${request.httpVersion} ${request.method} ${request.target} ${request.headers[0]?.join('=')} ${size}`,
  );
}

test('HTTP/2 by ALPN and by prior knowledge: the same messages, limits and answers', async (t) => {
  const secure = await start(t, http2Echo, { tls, limits: { maxBodyBytes: 1000 } });
  const clear = await start(t, http2Echo, { http2: 'prior-knowledge', limits: { maxBodyBytes: 1000 } });
  assert.match(await exchange(clear.port, GET), /200 OK/);
  for (const url of [`https://127.0.0.1:${secure.port}`, `http://127.0.0.1:${clear.port}`]) {
    const session = connectHttp2(url, { rejectUnauthorized: false });
    const host = url.split('//')[1];
    assert.equal((await ask(session, { ':path': '/a?b' })).text, `2 GET /a?b host=${host} 0`);
    assert.equal(
      (await ask(session, { ':path': '/', ':method': 'POST' }, 'abc')).text,
      `2 POST / host=${host} 3`,
    );
    const streamed = await ask(session, { ':path': '/stream' });
    assert.equal(streamed.text, 'abcdef');
    assert.deepEqual(streamed.headers['set-cookie'], ['a', 'b']);
    assert.equal(streamed.trailers['x-sum'], '1');
    const file = await ask(session, { ':path': '/file' });
    assert.equal(file.text.length, 300_000);
    assert.equal(file.headers['content-length'], '300000');
    assert.equal((await ask(session, { ':path': '/', ':method': 'HEAD' })).text, '');
    const failed = await ask(session, { ':path': '/fail' });
    assert.deepEqual([failed.status, /secret/.test(failed.text)], [500, false]);
    assert.equal((await ask(session, { ':path': '/', ':method': 'POST' }, 'x'.repeat(2000))).status, 413);
    assert.equal((await ask(session, { ':path': '/', ':method': 'BREW' })).status, 501);
    assert.equal((await ask(session, { ':path': '/%00' })).status, 400);
    assert.equal((await ask(session, { ':path': `/${'a'.repeat(9000)}` })).status, 414);
    // nghttp2 resets this one before anybody sees it.
    assert.equal((await ask(session, { ':path': '/', ':authority': 'a b' })).status, 0);
    assert.equal((await ask(session, { ':path': '/', ':authority': 'a,b' })).status, 400);
    assert.equal((await ask(session, { ':path': '/', ':authority': 'a', host: 'b' })).status, 400);
    session.close();
    await once(session, 'close');
  }
  assert.equal(secure.events.filter(({ type }) => type === 'request').length, 12);
});

test('HTTP/2: spaces around a value are no part of it, for clients drop a field that has some', async (t) => {
  // What Django makes of a cookie under WSGI; 0xA0 is the end of a letter in UTF-8 (à), not a space.
  const headers = [
    ['Set-Cookie', ' csrftoken=a; Path=/'],
    ['Set-Cookie', '\tsession=b \t'],
    ['X-Name', 'voil\u00c3\u00a0'],
    ['X-Empty', '  '],
  ] as const;
  const { port } = await start(t, () => ({ status: 200, headers }), { http2: 'prior-knowledge' });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const answer = await ask(session, { ':path': '/' });
  assert.deepEqual(answer.headers['set-cookie'], ['csrftoken=a; Path=/', 'session=b']);
  assert.deepEqual([answer.headers['x-name'], answer.headers['x-empty']], ['voil\u00c3\u00a0', '']);
  session.close();
  await once(session, 'close');
});

test('HTTP/2: the signal aborts when the client resets its stream, and stopping lets streams finish', async (t) => {
  const aborted = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const { port, server } = await start(
    t,
    async (request) => {
      if (request.path === '/finish') {
        begun.resolve();
        await go.promise;
        return text('finished');
      }
      request.signal.addEventListener('abort', () => aborted.resolve());
      return new Promise(() => {});
    },
    { http2: 'prior-knowledge', graceMs: 5000 },
  );
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':path': '/' });
  await once(session, 'remoteSettings');
  setTimeout(() => stream.close(8), 20);
  await aborted.promise;
  const answer = ask(session, { ':path': '/finish' });
  await begun.promise;
  const closed = server.close();
  go.resolve();
  assert.equal((await answer).text, 'finished');
  await closed;
});

test('HTTP/2: a client that never closes its end neither keeps its place nor the server from stopping', async (t) => {
  for (const [secure, waits] of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ] as const) {
    const gone = Promise.withResolvers<ServerEvent>();
    const { port, server } = await start(t, undefined, {
      ...(secure ? { tls } : { http2: 'prior-knowledge' }),
      ...(waits && { timers: { headMs: 50, keepAliveMs: 50 } }),
      events: ['connection-close'],
      onEvent: gone.resolve,
    });
    const plain = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => plain.destroy());
    const options = { socket: plain, ALPNProtocols: ['h2'], rejectUnauthorized: false, allowHalfOpen: true };
    const client = secure ? connectTls(options) : plain;
    client.on('error', () => {});
    // A preface, and settings that set nothing.
    client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    await once(client, 'data');
    client.pause();
    if (!waits) await server.close();
    const event = await gone.promise;
    assert.equal('reason' in event && event.reason, waits ? 'timeout' : 'server');
  }
});

test('HTTP/2: a client that opens no window does not hold its stream for ever', async (t) => {
  const { port, events } = await start(t, () => text('x'.repeat(5_000_000)), {
    http2: 'prior-knowledge',
    timers: { sendMs: 100 },
  });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => {});
  stream.pause();
  await once(stream, 'close');
  session.destroy();
  const event = events.find(({ type }) => type === 'request');
  assert.equal(event?.type === 'request' && event.aborted, true);
});

test('HTTP/2: a client that reads slowly gets all of a file or text, however long that takes', async (t) => {
  const file = join(folder, 'large');
  writeFileSync(file, Buffer.alloc(2_000_000, 'x'));
  const sendMs = 80;
  const { port } = await start(
    t,
    ({ path }) =>
      path === '/file'
        ? { status: 200, headers: [], body: { fd: openSync(file, 'r'), offset: 0, length: 2_000_000 } }
        : text('x'.repeat(2_000_000)),
    { http2: 'prior-knowledge', timers: { sendMs } },
  );
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  for (const path of ['/file', '/text']) {
    const startedAt = performance.now();
    let bytes = 0;
    for await (const piece of session.request({ ':path': path })) {
      bytes += (piece as Buffer).length;
      // As much as the window takes a few times in a time-out: never quiet for that long, but much longer in all.
      await new Promise((resolve) => setTimeout(resolve, sendMs / 20));
    }
    assert.equal(bytes, 2_000_000);
    assert.ok(performance.now() - startedAt > 2 * sendMs, 'it was too fast to show anything');
  }
});

const V2 = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

test('who comes to a server that had nothing to do for an hour is not late', async (t) => {
  const plain = await start(t);
  const secure = await start(t, undefined, { tls });
  const clear = await start(t, undefined, { http2: 'prior-knowledge' });
  // Nothing is connected: the servers' clocks stand still.
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 3_600_000);
  assert.match(await exchange(plain.port, GET), /200 OK[\s\S]*hello$/);
  assert.match((await overTls(secure.port, GET)).received, /200 OK[\s\S]*hello$/);
  const session = connectHttp2(`http://127.0.0.1:${clear.port}`);
  assert.equal((await ask(session, { ':path': '/' })).text, 'hello');
  session.close();
  await once(session, 'close');
});

test('PROXY protocol: both versions name the client; nothing else gets in', async (t) => {
  const { port, seen } = await start(t, who, { proxyProtocol: true });
  assert.match(
    await exchange(port, `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n${GET}`),
    /192\.0\.2\.1:56324 192\.0\.2\.2:443 http$/,
  );
  assert.match(
    await exchange(port, ...`PROXY TCP6 2001:db8::1 ::1 1 2\r\n${GET}`.split('')),
    /2001:db8::1:1 ::1:2 http$/,
  );
  assert.match(await exchange(port, `PROXY UNKNOWN\r\n${GET}`), /127\.0\.0\.1:\d+ 127\.0\.0\.1/);
  const v4 = Buffer.concat([V2, Buffer.from('2111000cc0000201c000020204d201bb', 'hex'), Buffer.from(GET)]);
  assert.match(await exchange(port, v4), /192\.0\.2\.1:1234 192\.0\.2\.2:443/);
  const addresses = '20010db8000000000000000000000001' + '20010db8000000000000000000000002';
  const v6 = Buffer.concat([V2, Buffer.from(`21210024${addresses}04d201bb`, 'hex'), Buffer.from(GET)]);
  assert.match(await exchange(port, v6), /2001:db8::1:1234 2001:db8::2:443/);
  assert.match(
    await exchange(port, Buffer.concat([V2, Buffer.from('20000000', 'hex'), Buffer.from(GET)])),
    /127\.0\.0\.1/,
  );
  seen.length = 0;
  for (const bad of [
    GET,
    'PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n',
    `PROXY ${'x'.repeat(200)}`,
  ]) {
    assert.equal(await exchange(port, bad + GET), '', bad);
  }
  assert.equal(
    await exchange(port, Buffer.concat([V2, Buffer.from('3111000cc0000201c000020204d201bb', 'hex')])),
    '',
  );
  assert.deepEqual(seen, []);
});

test('PROXY protocol: only from those who are trusted, and before TLS', async (t) => {
  const distrusting = await start(t, who, { proxyProtocol: true, trustProxy: ['10.0.0.0/8'] });
  assert.equal(await exchange(distrusting.port, `PROXY UNKNOWN\r\n${GET}`), '');
  const trusting = await start(t, who, { proxyProtocol: true, trustProxy: ['::1', '127.0.0.0/8'], tls });
  const client = new RawClient(trusting.port);
  client.send('PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n');
  const socket = connectTls({
    socket: client.socket.setEncoding('binary') && client.socket.removeAllListeners('data'),
    rejectUnauthorized: false,
  });
  socket.write(GET);
  const [first] = await once(socket, 'data');
  assert.match(String(first), /192\.0\.2\.1:56324/);
  socket.destroy();
  await assert.rejects(start(t, who, { trustProxy: ['nonsense'] }), { code: 'USAGE' });
});

test('a Unix socket: a stale file is replaced, a live one is respected, another file is left alone', async (t) => {
  const path = join(folder, 'socket');
  const stale = createNetServer().listen(path);
  await once(stale, 'listening');
  execFileSync('cp', ['-a', path, `${path}.kept`]);
  await new Promise((resolve) => stale.close(resolve));
  execFileSync('mv', [`${path}.kept`, path]);
  const first = await start(t, undefined, { listen: [{ path, mode: 0o660 }] });
  assert.equal(first.server.url, `unix:${path}`);
  assert.equal(statSync(path).mode & 0o777, 0o660);
  assert.deepEqual(statuses(await exchange(path, GET)), [200]);
  await assert.rejects(start(t, undefined, { listen: [{ path }] }), { code: 'ADDRESS_IN_USE' });
  assert.deepEqual(statuses(await exchange(path, GET)), [200]);
  const file = join(folder, 'file');
  writeFileSync(file, 'precious');
  await assert.rejects(start(t, undefined, { listen: [{ path: file }] }), { code: 'ADDRESS_IN_USE' });
  assert.equal(readFileSync(file, 'utf8'), 'precious');
});

test('several listeners answer with one handler', async (t) => {
  const path = join(folder, 'second');
  const { server, seen } = await start(t, undefined, { listen: [{ host: '127.0.0.1', port: 0 }, { path }] });
  assert.equal(server.listeners.length, 2);
  for (const { port, path: place } of server.listeners) {
    assert.deepEqual(statuses(await exchange(place ?? port, GET)), [200]);
  }
  assert.equal(seen.length, 2);
});

test('a descriptor that was inherited is listened on', async (t) => {
  const parent = createNetServer().listen(0, '127.0.0.1');
  await once(parent, 'listening');
  const { fd } = (parent as unknown as { _handle: { fd: number } })._handle;
  const { port } = parent.address() as AddressInfo;
  const script = `import { serveHttp } from '${new URL('../../../../src/core/http/server/index.ts', import.meta.url)}';
    await serveHttp({ handle: () => ({ status: 200, headers: [], body: 'child' }) },
      { host: '', port: 0, listen: [{ fd: 3 }], signal: new AbortController().signal, onEvent: (e) => console.log(e.port) });`;
  const child = spawn(process.execPath, [...process.execArgv, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit', fd],
  });
  t.after(() => child.kill());
  const [line] = await once(child.stdout as Readable, 'data');
  assert.equal(Number(line), port);
  // Only the child is to accept.
  parent.close();
  assert.match(await exchange(port, GET), /child$/);
});

test('two servers share a port when both ask for it; else the second is told that it is taken', async (t) => {
  const first = await start(t, undefined, { reusePort: true });
  await start(t, undefined, { reusePort: true, port: first.port });
  assert.deepEqual(statuses(await exchange(first.port, GET)), [200]);
  let isClosed = false;
  const handler = {
    handle: () => text(''),
    async close() {
      isClosed = true;
    },
  };
  const options = {
    host: '127.0.0.1',
    port: first.port,
    signal: new AbortController().signal,
    onEvent: () => {},
  };
  await assert.rejects(serveHttp(handler, options), { code: 'ADDRESS_IN_USE' });
  assert.equal(isClosed, true);
});
