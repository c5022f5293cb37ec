import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { parseProxy } from '../../src/core/net/proxy.js';
import { needs } from '../helpers/programs.js';
import { run } from '../helpers/run.js';
import { startShell } from '../helpers/shell.js';
import { freePort, listenTcp, someBytes } from '../helpers/sockets.js';

const echo = (t: TestContext): Promise<number> =>
  listenTcp(
    t,
    (socket) => void socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end()),
  );

/** Joins a proxied socket to its target, what was read too early first. */
function join(socket: Socket, port: number, early: Buffer): void {
  const upstream = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  upstream.write(early);
  socket.on('data', (chunk) => upstream.write(chunk)).on('end', () => upstream.end());
  upstream.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end());
}

/** A CONNECT proxy that wants a name and password. */
function connectProxy(
  t: TestContext,
  requests: string[],
  answer = 'HTTP/1.1 200 OK\r\n\r\n',
): Promise<number> {
  return listenTcp(t, (socket) => {
    socket.once('data', (chunk: Buffer) => {
      const request = chunk.toString('latin1');
      requests.push(request);
      socket.write(answer);
      const port = /^CONNECT [^ ]*:(\d+) /.exec(request)?.[1];
      if (answer.includes(' 200 ')) join(socket, Number(port), Buffer.alloc(0));
      else socket.end();
    });
  });
}

/** A SOCKS5 proxy, with a password or without (RFC 1928, RFC 1929). */
function socksProxy(t: TestContext, seen: Buffer[], password?: string, reply = 0): Promise<number> {
  return listenTcp(t, (socket) => {
    let step = 0;
    socket.on('data', function onData(chunk: Buffer) {
      seen.push(chunk);
      step += 1;
      if (step === 1) socket.write(Buffer.from([5, password === undefined ? 0 : 2]));
      else if (step === 2 && password !== undefined) {
        socket.write(Buffer.from([1, chunk.toString().includes(password) ? 0 : 1]));
      } else {
        socket.off('data', onData);
        // In pieces, as a network may bring it.
        for (const byte of [5, reply, 0, 1, 127, 0, 0, 1, 0, 0]) socket.write(Buffer.from([byte]));
        if (reply === 0) join(socket, chunk.readUInt16BE(chunk.length - 2), Buffer.alloc(0));
      }
    });
  });
}

test('--proxy http:// opens a tunnel by CONNECT, with the password it was given', async (t) => {
  const requests: string[] = [];
  const proxy = await connectProxy(t, requests);
  const port = await echo(t);
  const bytes = someBytes(500_000);
  const args = [
    'tcp-client',
    'example.invalid',
    String(port),
    '--proxy',
    `http://me:p%40ss@127.0.0.1:${proxy}`,
  ];
  const { code, output } = await run(args, { stdin: bytes });
  assert.equal(code, 0);
  assert.ok(output.equals(bytes));
  const credentials = Buffer.from('me:p@ss').toString('base64');
  assert.equal(
    requests[0],
    `CONNECT example.invalid:${port} HTTP/1.1\r\nHost: example.invalid:${port}\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`,
  );
});

test("what the target says right behind the proxy's answer is not lost", async (t) => {
  const proxy = await connectProxy(t, [], 'HTTP/1.0 200 Connection established\r\nX: y\r\n\r\n220 early\r\n');
  const port = await echo(t);
  const args = ['tcp-client', '127.0.0.1', String(port), '--proxy', `127.0.0.1:${proxy}`, '--send', 'later'];
  assert.equal((await run(args)).stdout, '220 early\r\nlater');
});

test('a proxy that refuses is named, with its words and no password', async (t) => {
  const proxy = await connectProxy(
    t,
    [],
    'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n',
  );
  const args = [
    'tcp-client',
    'x.invalid',
    '80',
    '--proxy',
    `http://me:hunter22@127.0.0.1:${proxy}`,
    '--send',
    '',
  ];
  const { code, stderr } = await run(args);
  assert.equal(code, 77);
  assert.match(
    stderr,
    /the proxy 127\.0\.0\.1:\d+ gives no connection to x\.invalid:80 \(407 Proxy Authentication Required\)\nhint: /,
  );
  assert.doesNotMatch(stderr, /hunter22/);
});

test('--proxy socks5h:// lets the proxy look the name up, socks5:// does it here', async (t) => {
  const port = await echo(t);
  for (const [scheme, type] of [
    ['socks5h', 3],
    ['socks5', 1],
  ] as const) {
    const seen: Buffer[] = [];
    const proxy = await socksProxy(t, seen, 'sesame');
    const args = [
      'tcp-client',
      'localhost',
      String(port),
      '--proxy',
      `${scheme}://ali:sesame@127.0.0.1:${proxy}`,
    ];
    const { stdout, code, stderr } = await run([...args, '--send', 'open']);
    assert.deepEqual([code, stdout, stderr], [0, 'open', '']);
    assert.deepEqual([...(seen[0] ?? [])], [5, 2, 0, 2]);
    assert.equal(seen[1]?.toString(), '\u0001\u0003ali\u0006sesame');
    assert.equal(seen[2]?.[3], type);
  }
});

test('the reasons of a SOCKS proxy are the exit codes of a connection of our own', async (t) => {
  for (const [reply, expected, words] of [
    [5, 7, 'connection refused'],
    [4, 7, 'host unreachable'],
    [2, 77, 'not allowed by its rules'],
    [6, 28, 'TTL expired'],
  ] as const) {
    const proxy = await socksProxy(t, [], undefined, reply);
    const { code, stderr } = await run([
      'tcp-client',
      '192.0.2.1',
      '9',
      '--proxy',
      `socks5://127.0.0.1:${proxy}`,
      '--send',
      '',
    ]);
    assert.equal(code, expected);
    assert.ok(stderr.includes(words), stderr);
  }
  const wrong = await socksProxy(t, [], 'right');
  const { code } = await run([
    'tcp-client',
    '192.0.2.1',
    '9',
    '--proxy',
    `socks5://me:wrong@127.0.0.1:${wrong}`,
    '--send',
    '',
  ]);
  assert.equal(code, 77);
});

test('a proxy that answers something else is exit 56', async (t) => {
  const smtp = await listenTcp(t, (socket) => socket.write('220 smtp.example ready\r\n\r\n'));
  for (const scheme of ['http', 'socks5']) {
    const { code } = await run([
      'tcp-client',
      '192.0.2.1',
      '9',
      '--proxy',
      `${scheme}://127.0.0.1:${smtp}`,
      '--send',
      '',
    ]);
    assert.equal(code, 56, scheme);
  }
});

test('ncat as an HTTP proxy takes us where we want', needs('ncat'), async (t) => {
  const port = await echo(t);
  const free = await freePort();
  startShell(t, `exec ncat -l 127.0.0.1 ${free} --proxy-type http --proxy-auth u:pw1234`);
  const args = ['tcp-client', '127.0.0.1', String(port), '--proxy', `http://u:pw1234@127.0.0.1:${free}`];
  // Without an end: this ncat drops the answer to what has ended.
  const stdin = new PassThrough();
  stdin.write('via ncat');
  const { code, stdout, stderr } = await run([...args, '--wait', '8s', '--expect', 'via ncat'], { stdin });
  assert.deepEqual([code, stdout], [0, 'via ncat'], stderr);
});

test("proxy URLs: the port is kept also when it is http's own, IPv6 works, nonsense does not", () => {
  assert.deepEqual(parseProxy('http://proxy:80'), {
    kind: 'http',
    host: 'proxy',
    port: 80,
    resolvesNames: true,
  });
  assert.deepEqual(parseProxy('socks5://[::1]'), {
    kind: 'socks5',
    host: '::1',
    port: 1080,
    resolvesNames: false,
  });
  for (const text of ['', 'ftp://x', 'http://', 'http://x:99999'])
    assert.throws(() => parseProxy(text), text);
});
