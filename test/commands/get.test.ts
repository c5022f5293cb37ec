import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startHttp } from '../helpers/http-server.js';
import { parseLines, run } from '../helpers/run.js';
import { closedPort, startFixedStub, startStub } from '../helpers/stub-server.js';

const json = (body: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** A stdin that nobody may touch. */
const forbiddenStdin = (): Readable =>
  new Readable({
    read() {
      throw new Error('stdin was read');
    },
  });

test('get prints the body and nothing else when stdout is a pipe, byte by byte', async (t) => {
  const body = Buffer.from([0, 1, 0x1b, 0x5b, 0x32, 0x4a, 0xff, 0x0d, 0x0a]);
  const { url } = await startHttp(t, (res) => res.end(body));
  const result = await run(['get', url], { stdin: forbiddenStdin() });
  assert.deepEqual(result.output, body);
  assert.equal(result.stderr, '');
  assert.equal(result.code, 0);
});

test('JSON is not touched in a pipe, whatever FORCE_COLOR says', async (t) => {
  const { url } = await startFixedStub(t, json('{"a" : 1.10}'));
  const result = await run(['get', url], { env: { FORCE_COLOR: '1' } });
  assert.equal(result.stdout, '{"a" : 1.10}');
});

test('JSON is laid out and coloured on a terminal, its numbers and keys as they were sent', async (t) => {
  const { url } = await startFixedStub(t, json('{"b":12345678901234567890,"a":1.10,"b":1e400}'));
  const plain = await run(['get', url, '--color=never'], { stdoutTTY: true });
  assert.equal(plain.stdout, '{\n  "b": 12345678901234567890,\n  "a": 1.10,\n  "b": 1e400\n}\n');
  const colored = await run(['get', url], { stdoutTTY: true });
  assert.match(colored.stdout, /\x1b\[\d+m"b"\x1b\[39m: \x1b\[\d+m12345678901234567890/);
  const silenced = await run(['get', url], { stdoutTTY: true, env: { NO_COLOR: '1' } });
  assert.equal(silenced.stdout, plain.stdout);
});

test('control characters are escaped on a terminal, but newline, tab and CRLF', async (t) => {
  const { url } = await startStub(t, async (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: \x85\r\n\r\na\tb\r');
    await new Promise((done) => setTimeout(done, 20));
    socket.end('\nred \x1b[31m \u009b \u202e \x7f \r end');
  });
  const result = await run(['get', url, '-i', '--color=never'], { stdoutTTY: true });
  const [head, body] = result.stdout.split('\n\n');
  assert.equal(head, 'HTTP/1.1 200 OK\nContent-Type: text/plain\nX-A: \\x85');
  assert.equal(body, 'a\tb\nred \\x1b[31m \\x9b \\u202e \\x7f \\x0d end\n');
});

test('a text in another charset is readable on a terminal', async (t) => {
  const { url } = await startFixedStub(
    t,
    Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf\xe9', 'latin1'),
  );
  assert.equal((await run(['get', url], { stdoutTTY: true })).stdout, 'café\n');
});

test('what arrived of a body that is cut short is shown, on a terminal and in a pipe', async (t) => {
  const { url } = await startFixedStub(
    t,
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"a":',
  );
  const shown = await run(['get', url], { stdoutTTY: true });
  assert.deepEqual([shown.code, shown.stdout], [18, '{"a":']);
  const piped = await run(['get', url]);
  assert.deepEqual([piped.code, piped.stdout], [18, '{"a":']);
});

test('a binary body is not shown on a terminal, and one line says so', async (t) => {
  const { url } = await startFixedStub(t, 'HTTP/1.1 404 Not Found\r\n\r\n\0\x01\x02');
  const result = await run(['get', url], { stdoutTTY: true });
  assert.equal(result.stdout, '');
  assert.match(result.stderr, /^note: the body is binary.*\n$/);
  assert.equal(result.code, 4);
});

const STATUSES: ReadonlyArray<readonly [status: string, code: number]> = [
  ['200 OK', 0],
  ['204 No Content', 0],
  ['302 Found', 3],
  ['404 Not Found', 4],
  ['401 Unauthorized', 4],
  ['429 Too Many Requests', 4],
  ['500 Internal Server Error', 5],
  ['503 Service Unavailable', 5],
];

for (const [status, code] of STATUSES) {
  test(`status ${status} is exit ${code}, and its body is printed`, async (t) => {
    const body = status.startsWith('204') ? '' : 'why\n';
    const { url } = await startFixedStub(
      t,
      `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const result = await run(['get', url]);
    assert.equal(result.code, code);
    assert.equal(result.stdout, body);
    const [document] = parseLines((await run(['get', url, '--json'])).stdout);
    assert.equal(document.type, 'response');
    assert.equal(document.ok, code < 4);
    assert.equal(document.statusText, status.slice(4));
  });
}

const FAILURES: ReadonlyArray<readonly [what: string, reply: string, code: number, word: string]> = [
  ['an empty reply', '', 52, 'EMPTY_REPLY'],
  ['garbage', 'garbage\r\n\r\n', 56, 'MALFORMED_REPLY'],
  ['a short body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', 18, 'TRUNCATED'],
  ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc', 18, 'TRUNCATED'],
  ['a false coding', 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nplain', 61, 'BAD_ENCODING'],
];

for (const [what, reply, code, word] of FAILURES) {
  test(`${what} is exit ${code}, one line on stderr and one document with --json`, async (t) => {
    const { url } = await startFixedStub(t, reply);
    const human = await run(['get', url]);
    assert.equal(human.code, code);
    assert.match(human.stderr, /^nettool get: [^\n]+\n$/);
    const machine = await run(['get', url, '--json']);
    const [event, ...more] = parseLines(machine.stdout);
    assert.deepEqual([event.type, event.code, event.exitCode, event.command], ['error', word, code, 'get']);
    assert.equal(more.length, 0);
  });
}

test('a failure without a body is told, unless the fields or a document are printed', async (t) => {
  const { url } = await startFixedStub(t, 'HTTP/1.1 404 Gone Fishing\r\nContent-Length: 0\r\n\r\n');
  const result = await run(['get', url]);
  assert.deepEqual([result.code, result.stderr], [4, 'note: 404 Gone Fishing, without a body\n']);
  for (const flag of ['-i', '--json', '-q']) assert.equal((await run(['get', url, flag])).stderr, '');
});

test('what OPTIONS brought is told where it has no body', async (t) => {
  const { url } = await startFixedStub(t, 'HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n');
  const note = 'note: 200 OK, without a body; -i shows the header fields\n';
  assert.deepEqual((await run(['options', url])).stderr, note);
  assert.equal((await run(['get', url])).stderr, '');
});

test('a refused connection is exit 7, a name that does not resolve 6', async () => {
  const port = await closedPort();
  const refused = await run(['get', `:${port}/x`]);
  assert.equal(refused.code, 7);
  assert.match(
    refused.stderr,
    new RegExp(`^nettool get: cannot connect to localhost:${port} \\(connection refused`),
  );
  assert.equal((await run(['get', 'http://no-such-host.invalid/'])).code, 6);
});

test('a gzipped body is decoded, with --raw it is left as it was sent', async (t) => {
  const zipped = gzipSync('hello');
  const { url, received } = await startHttp(t, (res) =>
    res.setHeader('Content-Encoding', 'gzip').end(zipped),
  );
  assert.equal((await run(['get', url])).stdout, 'hello');
  assert.equal(received[0]?.headers['accept-encoding'], 'gzip, deflate, br, zstd');
  assert.deepEqual((await run(['get', url, '--raw'])).output, zipped);
  const [document] = parseLines((await run(['get', url, '--json'])).stdout);
  assert.equal(document.bodySizeBytes, 5);
  assert.equal(document.wireSizeBytes, zipped.length);
});

test('--json prints one document with everything in it', async (t) => {
  const body = '{ "id": 12345678901234567890,\n "id": 1.10 }';
  const { url, port } = await startHttp(t, (res, { target }) => {
    if (target === '/old') return res.writeHead(302, { Location: '/new?k=1#f' }).end();
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.setHeader('Set-Cookie', ['a=1', 'token=secret2']);
    res.sendDate = false;
    return res.end(body);
  });
  const { stdout, stderr, code } = await run(['get', `${url}/old`, '--json']);
  assert.equal(code, 0);
  assert.equal(stderr, '');
  assert.equal(stdout.split('\n').length, 2);
  assert.ok(stdout.includes('"body":{"id":12345678901234567890,"id":1.10},'));
  const document = JSON.parse(stdout);
  const { timings, rawHeaders, body: _, ...rest } = document;
  assert.deepEqual(rest, {
    type: 'response',
    ok: true,
    status: 200,
    statusText: 'OK',
    httpVersion: '1.1',
    method: 'GET',
    url: `${url}/new?k=1#f`,
    redirects: [{ status: 302, url: `${url}/old`, location: '/new?k=1#f' }],
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'set-cookie': ['a=1', 'token=secret2'],
      connection: 'keep-alive',
      'keep-alive': 'timeout=5',
      'content-length': String(body.length),
    },
    bodySizeBytes: body.length,
    wireSizeBytes: body.length,
    remoteAddress: '127.0.0.1',
    remotePort: port,
    attempts: 1,
  });
  assert.deepEqual(rawHeaders[0], ['Content-Type', 'application/json; charset=utf-8']);
  assert.deepEqual(Object.keys(timings), ['dnsMs', 'connectMs', 'tlsMs', 'firstByteMs', 'totalMs']);
  assert.ok(timings.totalMs >= timings.firstByteMs);
});

const BODIES: ReadonlyArray<readonly [type: string, body: string, expected: unknown, base64?: string]> = [
  ['text/plain', 'héllo', 'héllo'],
  ['text/plain', '123', '123'],
  ['application/json', '{broken', '{broken'],
  ['application/json', '\ufeff[1]', [1]],
  ['application/problem+json', '{"a":null}', { a: null }],
  ['application/octet-stream', 'a\0b', null, 'YQBi'],
  ['text/plain', '', null],
];

for (const [type, body, expected, base64] of BODIES) {
  test(`${JSON.stringify(body)} as ${type} is ${JSON.stringify(expected)} in the document`, async (t) => {
    const { url } = await startHttp(t, (res) => res.setHeader('Content-Type', type).end(body));
    const [document] = parseLines((await run(['get', url, '--json'])).stdout);
    assert.deepEqual(document.body, expected);
    assert.equal(document.bodyBase64, base64);
  });
}

test('-i prints status line and fields as they were sent', async (t) => {
  const { url } = await startFixedStub(t, 'HTTP/1.1 200 Fine\r\nX-Key: a\r\nx-KEY: b\r\n\r\nbody');
  const result = await run(['get', url, '-i']);
  assert.equal(result.stdout, 'HTTP/1.1 200 Fine\nX-Key: a\nx-KEY: b\n\nbody');
});

test('-v shows both heads on stderr, with our secrets masked and theirs not', async (t) => {
  const { url } = await startFixedStub(t, 'HTTP/1.1 200 OK\r\nSet-Cookie: token=theirs\r\n\r\nbody');
  const argv = ['get', `${url}/?api_key=ours-0`, 'Authorization:Bearer ours-1', 'X-Token:o2', 'X-A:1', '-v'];
  const result = await run(argv);
  assert.equal(result.stdout, 'body');
  assert.match(
    result.stderr,
    /^GET \/\?api_key=\*\*\* HTTP\/1\.1\nHost: 127\.0\.0\.1:\d+\nConnection: keep-alive\n/,
  );
  assert.match(
    result.stderr,
    /Authorization: \*\*\*\nX-Token: \*\*\*\nX-A: 1\n\nHTTP\/1\.1 200 OK\nSet-Cookie: token=theirs\n/,
  );
  assert.doesNotMatch(result.stderr, /ours|o2/);
  const shown = await run([...argv, '--show-secrets']);
  assert.match(shown.stderr, /api_key=ours-0[\s\S]*Authorization: Bearer ours-1\nX-Token: o2/);
});

test('userinfo becomes a header field and is never printed', async (t) => {
  const { port, received } = await startHttp(t, (res) => res.end('ok'));
  const { stdout } = await run(['get', `http://me:hunter%402@127.0.0.1:${port}/`, '--json', '-v']);
  assert.equal(received[0]?.headers.authorization, `Basic ${btoa('me:hunter@2')}`);
  assert.doesNotMatch(stdout, /hunter/);
  const closed = await closedPort();
  for (const flags of [[], ['--json'], ['-vv']]) {
    const failed = await run(['get', `me:hunter2@127.0.0.1:${closed}`, ...flags]);
    assert.equal(failed.code, 7);
    assert.doesNotMatch(failed.stdout + failed.stderr, /hunter2/);
  }
});

test('parameters come from items and flags, and header fields replace or remove the usual ones', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.end());
  await run([
    'get',
    `${url}/?a=1`,
    'q==x y',
    '-p',
    'r=é',
    'User-Agent:mine',
    '-H',
    'Accept:',
    'X-E;',
    '-H',
    'X-A: 1',
    'X-A:2',
  ]);
  assert.equal(received[0]?.target, '/?a=1&r=%C3%A9&q=x%20y');
  const { headers } = received[0] ?? { headers: {} };
  assert.equal(headers['user-agent'], 'mine');
  assert.equal(headers.accept, undefined);
  assert.equal(headers['x-e'], '');
  assert.equal(headers['x-a'], '1, 2');
});

test('what cannot be sent is exit 2 with one line, and nothing is sent', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.end());
  for (const argv of [
    ['get', `${url}/\r\nX: y`],
    ['get', `${url}/\0`],
    ['get', 'ftp://x/'],
    ['get', url, 'X:a\r\nb: c'],
    ['get', url, '-H', 'X: a\nb'],
    ['get', url, '-H', 'no colon'],
    ['get', url, '-X', 'GE T'],
    ['get', url, '-X', 'GET\r\n'],
    ['get', url, '-p', 'noequals'],
    ['get', url, 'plain'],
    ['get', url, 'k:={'],
    ['get', url, 'Expect:100-continue'],
    ['get', url, 'Transfer-Encoding:chunked'],
    ['get', url, '--max-redirects', '-1'],
    ['get', url, '--timeout', 'soon'],
    ['get', url, '--no-such-flag'],
    ['get'],
  ]) {
    const result = await run(argv);
    assert.equal(result.code, 2, JSON.stringify(argv));
    assert.match(result.stderr, /^nettool get: [^\n]+\n(hint: [^\n]+\n)?$/);
    assert.equal(result.stdout, '');
  }
  assert.equal(received.length, 0);
});

test('-X sends another method', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.end('unseen'));
  const result = await run(['get', url, '-X', 'head']);
  assert.equal(received[0]?.method, 'HEAD');
  assert.match(result.stdout, /^HTTP\/1\.1 200 OK\nDate: [^\n]+\n/);
  assert.equal(result.code, 0);
});

test('a reader that goes away ends the run quietly, with the exit code of the status', async (t) => {
  for (const [status, code] of [
    [200, 0],
    [404, 4],
  ] as const) {
    const { url } = await startStub(t, (socket) => {
      socket.write(`HTTP/1.1 ${status} X\r\nContent-Length: 1000000000\r\n\r\n`);
      const more = (): void => {
        while (socket.writable && socket.write(Buffer.alloc(65_536)));
      };
      socket.on('drain', more);
      more();
    });
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    const result = await run(['get', url], { stdout });
    assert.equal(result.code, code);
    assert.equal(result.stderr, '');
  }
});

test('--timeout limits everything together, --idle-timeout a standstill', async (t) => {
  const { url } = await startStub(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n');
    const timer = setInterval(() => socket.write('x'), 40);
    socket.on('close', () => clearInterval(timer));
  });
  const startedAt = performance.now();
  const total = await run(['get', url, '--timeout', '300ms']);
  const tookMs = performance.now() - startedAt;
  assert.equal(total.code, 28);
  assert.match(total.stderr, /not done within 0\.3 s/);
  assert.match(total.stdout, /^x+$/);
  assert.ok(tookMs >= 295 && tookMs < 450, `${tookMs} ms`);
  const mute = await startStub(t, () => {});
  assert.equal((await run(['get', mute.url, '--idle-timeout', '0.1'])).code, 28);
});

test('an interrupted run is exit 130', async (t) => {
  const stopper = new AbortController();
  const { NettoolError } = await import('../../src/core/errors.js');
  const { url } = await startStub(t, () => stopper.abort(new NettoolError('INTERRUPTED', 'interrupted')));
  assert.equal((await run(['get', url], { signal: stopper.signal })).code, 130);
});
