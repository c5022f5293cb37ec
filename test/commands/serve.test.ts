import assert from 'node:assert/strict';
import { once } from 'node:events';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NettoolError } from '../../src/core/errors.js';
import { ask, open } from '../helpers/raw-http.js';
import { type FakeProcess, parseLines, type RunningCommand, run, start } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const INTERRUPT = new NettoolError('INTERRUPTED', 'interrupted');

/** `nettool serve … --json` on a free port, stopped with the test. */
async function serving(t: TestContext, argv: readonly string[], fake: FakeProcess = {}) {
  const command: RunningCommand = start(['serve', ...argv], fake);
  t.after(() => command.stop(INTERRUPT));
  const { port, ...listening } = await command.event('listening');
  return { command, port: port as number, listening };
}

/** Everything people see on stderr of a run that serves one request and is stopped. */
async function talk(
  t: TestContext,
  argv: readonly string[],
  fake: FakeProcess = {},
  request: (port: number) => Promise<unknown> = (port) => ask(port, '/hello.txt'),
): Promise<string> {
  const stop = new AbortController();
  t.after(() => stop.abort(INTERRUPT));
  const { promise, resolve } = Promise.withResolvers<number>();
  let seen = '';
  const done = run(['serve', ...argv], {
    ...fake,
    signal: stop.signal,
    onWrite(_stream, text) {
      seen += text;
      const port = /http:\/\/[^\s]+:(\d+)\//.exec(seen)?.[1];
      if (port !== undefined) resolve(Number(port));
    },
  });
  await request(await promise);
  stop.abort(INTERRUPT);
  const { code, stderr, stdout } = await done;
  assert.equal(code, 0);
  assert.equal(stdout, '');
  return stderr;
}

test('serve offers a folder, tells its address and each request, and ends with 0 when interrupted', async (t) => {
  const cwd = tempDir(t, { 'site/hello.txt': 'hello' });
  const { command, port, listening } = await serving(t, ['site', '0'], { cwd });
  assert.deepEqual(listening, {
    type: 'listening',
    url: `http://127.0.0.1:${port}/`,
    urls: [`http://127.0.0.1:${port}/`],
    host: '127.0.0.1',
  });
  assert.equal((await ask(port, '/hello.txt', { headers: { 'User-Agent': 'test/1' } })).text, 'hello');
  const request = await command.event('request');
  assert.equal(request.method, 'GET');
  assert.equal(request.target, '/hello.txt');
  assert.equal(request.status, 200);
  assert.equal(request.bytes, 5);
  assert.equal(request.remoteAddress, '127.0.0.1');
  assert.equal(request.userAgent, 'test/1');
  assert.equal(typeof request.durationMs, 'number');
  const { code, stderr } = await command.stop(INTERRUPT);
  assert.equal(code, 0);
  assert.equal(stderr, '');
  assert.deepEqual(await command.event('closed'), { type: 'closed', requests: 1 });
});

test('serve stopped by SIGTERM drains: a running download arrives whole, and the exit code is 0', async (t) => {
  const size = 20_000_000;
  const cwd = tempDir(t, { 'large.bin': Buffer.alloc(size) });
  const { command, port } = await serving(t, ['.', '0'], { cwd });
  const socket = await open(port, 'GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'readable');
  const done = command.stop(new NettoolError('TERMINATED', 'terminated'));
  let received = 0;
  for await (const chunk of socket) received += chunk.length;
  assert.ok(received > size);
  assert.equal((await done).code, 0);
});

test('what takes longer than --graceful-timeout is cut', async (t) => {
  const cwd = tempDir(t, { 'large.bin': Buffer.alloc(20_000_000) });
  const { command, port } = await serving(t, ['.', '0', '--graceful-timeout', '100ms'], { cwd });
  const socket = await open(port, 'GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.on('error', () => {});
  await once(socket, 'readable');
  const started = performance.now();
  assert.equal((await command.stop(new NettoolError('TERMINATED', 'terminated'))).code, 0);
  assert.ok(performance.now() - started < 8000, 'not the ten seconds of the default');
  socket.destroy();
});

test('serve without arguments serves the working directory', async (t) => {
  const cwd = tempDir(t, { 'hello.txt': 'hello' });
  const { command, port } = await serving(t, ['--port-fallback'], { cwd });
  assert.ok(port >= 8000 && port <= 8100);
  assert.equal((await ask(port, '/hello.txt')).text, 'hello');
  await command.stop(INTERRUPT);
});

test('a lone number is the port, unless a folder has that name', async (t) => {
  const cwd = tempDir(t, { 'hello.txt': 'hello', '0/inner.txt': 'inner' });
  const here = await serving(t, ['00'], { cwd });
  assert.equal((await ask(here.port, '/hello.txt')).text, 'hello');
  const folder = await serving(t, ['0', '0'], { cwd });
  assert.equal((await ask(folder.port, '/inner.txt')).text, 'inner');
});

test('one file is served at the root', async (t) => {
  const cwd = tempDir(t, { 'page.html': '<p>' });
  const { port } = await serving(t, ['page.html', '0'], { cwd });
  assert.equal((await ask(port, '/')).text, '<p>');
});

test('--hidden, --follow-symlinks and --no-listing open and close what they say', async (t) => {
  const folder = tempDir(t, { 'site/.env': 'x', out: 'y' });
  symlinkSync('../out', join(folder, 'site/link'));
  const statuses = async (...flags: string[]) => {
    const { port } = await serving(t, [join(folder, 'site'), '0', ...flags]);
    const answers = ['/.env', '/link', '/'].map(async (path) => (await ask(port, path)).status);
    return Promise.all(answers);
  };
  assert.deepEqual(await statuses(), [404, 404, 200]);
  assert.deepEqual(await statuses('--hidden'), [200, 404, 200]);
  assert.deepEqual(await statuses('--follow-symlinks'), [404, 200, 200]);
  assert.deepEqual(await statuses('--no-listing'), [404, 404, 404]);
});

test('people are told every address on stderr, and stdout stays empty', async (t) => {
  const cwd = tempDir(t, { 'hello.txt': 'hello' });
  assert.match(
    await talk(t, ['.', '0'], { cwd }),
    /^serving \. at\n {2}http:\/\/127\.0\.0\.1:\d+\/\nstopped after 1 request\n$/,
  );
  const everywhere = await talk(t, ['.', '0', '--host', '0.0.0.0'], { cwd });
  assert.match(everywhere, /^ {2}http:\/\/127\.0\.0\.1:\d+\/$/m);
  assert.doesNotMatch(everywhere, /0\.0\.0\.0/);
});

test('an IPv6 address may be given with or without brackets', async (t) => {
  const cwd = tempDir(t);
  for (const host of ['::1', '[::1]']) {
    const { listening, port, command } = await serving(t, ['.', '0', '--host', host], { cwd });
    assert.equal(listening.url, `http://[::1]:${port}/`);
    await command.stop(INTERRUPT);
  }
});

test('requests are logged on a terminal, in a pipe only when asked for', async (t) => {
  const cwd = tempDir(t, { 'hello.txt': 'hello' });
  assert.doesNotMatch(await talk(t, ['.', '0'], { cwd }), /GET/);
  const env = { NO_COLOR: '1' };
  assert.match(await talk(t, ['.', '0'], { cwd, env, stderrTTY: true }), /GET \/hello\.txt 200 .* 5 bytes/);
  assert.doesNotMatch(await talk(t, ['.', '0', '--log', 'none'], { cwd, stderrTTY: true }), /GET/);
  assert.match(
    await talk(t, ['.', '0', '--log', 'combined'], { cwd }),
    /^127\.0\.0\.1 - - \[.*\] "GET \/hello\.txt HTTP\/1\.1" 200 5 "-" "-"$/m,
  );
  const json = await talk(t, ['.', '0', '--log=json'], { cwd });
  assert.equal(
    parseLines(
      json
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .join('\n'),
    )[0].status,
    200,
  );
});

test('control characters of a client never reach the log', async (t) => {
  const cwd = tempDir(t);
  const request = (port: number) => ask(port, '/x', { headers: { 'User-Agent': '\x9b31m' } });
  const log = await talk(t, ['.', '0', '--log', 'combined'], { cwd }, request);
  assert.match(log, /\\x9b31m/);
  assert.doesNotMatch(log, /\x9b/);
});

test('with --json a log that was asked for goes to stderr, beside the events on stdout', async (t) => {
  const cwd = tempDir(t, { 'hello.txt': 'hello' });
  const { command, port } = await serving(t, ['.', '0', '--log', 'common'], { cwd });
  await ask(port, '/hello.txt');
  await command.event('request');
  const { stderr, stdout } = await command.stop(INTERRUPT);
  assert.match(stderr, /^127\.0\.0\.1 .*"GET \/hello\.txt HTTP\/1\.1" 200 5\n$/);
  assert.deepEqual(
    parseLines(stdout).map(({ type }) => type),
    ['listening', 'request', 'closed'],
  );
});

test('--quiet says nothing', async (t) => {
  const cwd = tempDir(t, { 'hello.txt': 'hello' });
  const stop = new AbortController();
  const { port, command } = await serving(t, ['.', '0'], { cwd });
  await command.stop(INTERRUPT);
  stop.abort(INTERRUPT);
  const { code, stderr, stdout } = await run(['serve', '.', String(port), '-q'], {
    cwd,
    signal: stop.signal,
  });
  assert.deepEqual([code, stderr, stdout], [0, '', '']);
});

test('a busy port is 45 with the next free one as hint, or taken over by --port-fallback', async (t) => {
  const cwd = tempDir(t);
  const { port } = await serving(t, ['.', '0'], { cwd });
  const failed = await run(['serve', '.', String(port)], { cwd });
  assert.equal(failed.code, 45);
  assert.match(
    failed.stderr,
    new RegExp(
      `^nettool serve: cannot listen on 127\\.0\\.0\\.1:${port} \\(address already in use\\)\nhint: port \\d+ is free; --port-fallback .*\n$`,
    ),
  );
  const json = JSON.parse((await run(['serve', '.', String(port), '--json'], { cwd })).stdout);
  assert.equal(json.code, 'ADDRESS_IN_USE');
  assert.equal(json.exitCode, 45);
  const other = await serving(t, ['.', String(port), '--port-fallback'], { cwd });
  assert.ok(other.port > port);
});

const REFUSED: ReadonlyArray<readonly [why: string, code: number, argv: readonly string[], message: RegExp]> =
  [
    [
      'a missing folder',
      26,
      ['none'],
      /^nettool serve: cannot serve .*none \(no such file or directory\)\n$/,
    ],
    ['a port out of range', 2, ['.', '65536'], /'65536' is not a port/],
    ['a port that is no number', 2, ['.', 'http'], /'http' is not a port/],
    ['an empty host', 2, ['.', '0', '--host', ''], /not a host name/],
    ['an unknown host', 6, ['.', '0', '--host', 'no-such-host.invalid'], /no-such-host\.invalid/],
    ['an address of another machine', 45, ['.', '0', '--host', '203.0.113.1'], /no such address/],
    ['an unknown log format', 2, ['.', '0', '--log', 'xml'], /xml/],
    ['an unknown flag', 2, ['.', '0', '--hiden'], /hint: did you mean --hidden/],
    ['one argument too many', 2, ['.', '0', 'more'], /too many arguments/],
    ['an upstream that is no URL', 2, ['.', '0', '--proxy', '/api=gopher://x'], /gopher:\/\/x/],
    ['a mount without a value', 2, ['.', '0', '--proxy', '/api'], /'\/api' is not prefix=value/],
    ['a prefix without a slash', 2, ['.', '0', '--app', 'api=app.py'], /does not start with a slash/],
    ['a prefix with a space', 2, ['.', '0', '--app', '/a b=app.py'], /or has a space/],
    ['a root path without a slash', 2, ['.', '0', '--root-path', 'api'], /'api' does not start with a slash/],
    ['a root path without an application', 2, ['.', '0', '--root-path', '/x'], /is for Python applications/],
    [
      'two mounts at one place',
      2,
      ['.', '0', '--proxy', '/a=http://h', '--proxy', '/a=http://i'],
      /two things are mounted at \/a/,
    ],
    ['a folder of scripts that is missing', 2, ['.', '0', '--cgi', '/cgi=none'], /no such folder/],
    [
      'FastCGI without a folder',
      2,
      ['http://127.0.0.1:9', '0', '--fastcgi', '/=127.0.0.1:9'],
      /no folder with scripts/,
    ],
    ['a field that is none', 2, ['.', '0', '--header', 'no colon'], /'no colon' is not 'Name: value'/],
    ['a user without password', 2, ['.', '0', '--auth', 'ann'], /name:password/],
    ['a rate that is none', 2, ['.', '0', '--rate-limit', 'often'], /'often' is not a rate/],
    ['a network that is none', 2, ['.', '0', '--trust-proxy', '10.0.0.0/99'], /is not an address or network/],
    [
      'a certificate that is missing',
      26,
      ['.', '0', '--cert', 'none.pem'],
      /cannot read the certificate .*none\.pem/,
    ],
    ['a key without certificate', 2, ['.', '0', '--key', 'k.pem'], /--key needs --cert/],
    ['HSTS without HTTPS', 2, ['.', '0', '--hsts'], /--hsts is for HTTPS/],
    ['a scheme nobody knows', 2, ['htp://127.0.0.1:9', '0'], /'htp:.*' is no upstream/],
    [
      'a bad upstream beside an application',
      2,
      ['app:app', '0', '--proxy', '/x=htp://127.0.0.1:9'],
      /'htp:.*' is no upstream/,
    ],
    ['a missing CGI folder beside an application', 2, ['app:app', '0', '--cgi', '/x=none'], /no such folder/],
    ['a mode that is none', 2, ['.', '0', '--host', './s', '--socket-mode', '9'], /'9' is not a mode/],
    ['a program that is not there', 26, ['none.ts', '0'], /cannot serve .*none\.ts \(no such file/],
    ['a Python file that is not there', 26, ['none.py:app', '0'], /cannot serve .*none\.py \(no such file/],
    [
      'a module named as Python has it',
      26,
      ['app', '0'],
      /no such file or directory\)\nhint: app\.py is there/,
    ],
    ['a .wsgi file that is missing', 26, ['none/site.wsgi', '0'], /site\.wsgi \(no such file or directory\)/],
    [
      'a module as gunicorn takes it',
      1,
      ['shop.wsgi', '0', '--python', 'none'],
      /no Python interpreter at none/,
    ],
    [
      'a module with .py inside its name',
      1,
      ['shop.pyramid:app', '0', '--python', 'none'],
      /no Python interpreter at none/,
    ],
    ['WSGI and ASGI at once', 2, ['app:app', '0', '--wsgi', '--asgi'], /exclude each other/],
  ];

for (const [why, code, argv, message] of REFUSED) {
  test(`${why} ends serve with ${code} and one clear line`, async (t) => {
    const result = await run(['serve', ...argv], { cwd: tempDir(t, { 'app.py': '' }) });
    assert.equal(result.code, code);
    assert.match(result.stderr, message);
    assert.ok(result.stderr.trim().split('\n').length <= 2);
    assert.equal(result.stdout, '');
  });
}

test('a folder whose name looks like a program is served', async (t) => {
  const cwd = tempDir(t, { 'three.js/hello.txt': 'hello' });
  const { port } = await serving(t, ['three.js', '0'], { cwd });
  assert.equal((await ask(port, '/hello.txt')).text, 'hello');
});

test('a changed file is seen at once', async (t) => {
  const cwd = tempDir(t, { 'hello.txt': 'hello' });
  const { port } = await serving(t, ['.', '0'], { cwd });
  await ask(port, '/hello.txt');
  writeFileSync(join(cwd, 'hello.txt'), 'changed');
  assert.equal((await ask(port, '/hello.txt')).text, 'changed');
});
