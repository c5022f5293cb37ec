import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { run, start } from '../helpers/run.js';
import { connectTcp, connectThree, listenTcp, readAll, readSome, someBytes } from '../helpers/sockets.js';
import { tempDir } from '../helpers/temp-dir.js';

test('the classroom server prints what a client says, answers it once, and tells who came and went', async () => {
  const server = start(['tcp-server', '0', '--reply', 'got it', '--once']);
  const { port, host, url } = await server.event('listening');
  assert.deepEqual([host, url], ['127.0.0.1', `tcp://127.0.0.1:${port}`]);
  const client = await run(['tcp-client', 'localhost', String(port), '--send', 'Hello, Server!']);
  assert.deepEqual([client.code, client.stdout, client.stderr], [0, 'got it', '']);
  const opened = await server.event('open');
  assert.deepEqual([opened.id, opened.remoteAddress], [1, '127.0.0.1']);
  assert.equal((await server.event('data')).text, 'Hello, Server!');
  const { bytesIn, bytesOut, reason } = await server.event('close');
  assert.deepEqual([bytesIn, bytesOut, reason], [14, 6, 'fin']);
  assert.equal((await server.done).code, 0);
});

test('a reply is sent once, also to a client that goes on talking, and all it says is printed', async (t) => {
  const server = start(['tcp-server', '0', '--reply', 'once']);
  const { port } = await server.event('listening');
  const socket = await connectTcp(t, { port });
  socket.write('a');
  const answer = readAll(socket);
  assert.equal((await server.event('data')).text, 'a');
  socket.write('b');
  assert.equal((await server.event('data')).text, 'b');
  socket.end();
  assert.equal((await answer).toString(), 'once');
  await server.event('close');
  assert.equal((await server.stop()).code, 0);
});

test('stdin goes to every client, and its end is a FIN to all, also to those that come later', async (t) => {
  const stdin = new PassThrough();
  const server = start(['tcp-server', '0'], { stdin });
  const { port } = await server.event('listening');
  const first = await connectTcp(t, { port });
  const second = await connectTcp(t, { port });
  await server.event('open');
  await server.event('open');
  const answers = Promise.all([readAll(first), readAll(second)]);
  stdin.end('to all of you');
  assert.deepEqual((await answers).map(String), ['to all of you', 'to all of you']);
  const late = await connectTcp(t, { port });
  assert.equal((await readAll(late)).toString(), '');
  late.end('still heard');
  assert.equal((await server.event('data')).text, 'still heard');
  first.end();
  second.end();
  for (let count = 0; count < 3; count += 1) assert.equal((await server.event('close')).reason, 'fin');
  await server.stop();
});

test('an answer that begins after the client has ended its side arrives whole', async (t) => {
  const stdin = new PassThrough();
  const server = start(['tcp-server', '0', '--once'], { stdin });
  const { port } = await server.event('listening');
  const socket = await connectTcp(t, { port });
  socket.end('question');
  await server.event('data');
  const answer = someBytes(3_000_000);
  const received = readAll(socket);
  setTimeout(() => stdin.end(answer), 400);
  assert.ok((await received).equals(answer));
  assert.equal((await server.done).code, 0);
});

test('a client that has said all is not kept for ever by a stdin that is open and silent', async (t) => {
  const server = start(['tcp-server', '0', '--once'], { stdin: new PassThrough() });
  const { port } = await server.event('listening');
  const client = await run(['tcp-client', '127.0.0.1', String(port), '--send', 'that was all']);
  assert.equal(client.code, 0);
  assert.equal((await server.event('data')).text, 'that was all');
  assert.equal((await server.done).code, 0);
  t.diagnostic('some seconds: it is the waiting that is tested');
});

test('a client that is gone altogether is let go, although stdin stays open', async (t) => {
  const server = start(['tcp-server', '0'], { stdin: new PassThrough() });
  const { port } = await server.event('listening');
  const socket = await connectTcp(t, { port });
  socket.write('bye');
  await server.event('data');
  socket.destroy();
  const { reason, endedBy } = await server.event('close');
  assert.deepEqual([reason, endedBy], ['fin', 'peer']);
  await server.stop();
});

test('without --json stdout is what arrived, byte for byte, and talk goes to stderr', async (t) => {
  const bytes = someBytes(300_000);
  let stderr = '';
  const stopper = new AbortController();
  const done = run(['tcp-server', '0', '--once', '-v'], {
    signal: stopper.signal,
    onWrite: (stream, text) => {
      if (stream !== 'stderr') return;
      stderr += text;
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port !== undefined) {
        void connectTcp(t, { port: Number(port) }).then((socket) => {
          socket.resume();
          socket.end(bytes);
        });
      }
    },
  });
  const { output, code } = await done;
  assert.equal(code, 0);
  assert.ok(output.equals(bytes));
  assert.match(
    stderr,
    /\[1\] 127\.0\.0\.1:\d+ connected\n\[1\] ended by (us|the peer) \(FIN\): 293\.0 KiB received, 0 B sent, [\d.]+ s\n1 connections, 293\.0 KiB received/,
  );
});

test('--echo gives every byte back and the FIN after it', async (t) => {
  const server = start(['tcp-server', '0', '--echo']);
  const { port } = await server.event('listening');
  const bytes = someBytes(5_000_000);
  const socket = await connectTcp(t, { port });
  socket.end(bytes);
  assert.ok((await readAll(socket)).equals(bytes));
  const { bytesIn, bytesOut, reason, endedBy } = await server.event('close');
  assert.deepEqual([bytesIn, bytesOut, reason, endedBy], [5_000_000, 5_000_000, 'fin', 'peer']);
  await server.stop();
});

test('--chat relays to all others and not back, and one that has ended its side goes on listening', async (t) => {
  const server = start(['tcp-server', '0', '--chat']);
  const { port } = await server.event('listening');
  const [ann, bob, cem] = await connectThree(t, port);
  for (let count = 0; count < 3; count += 1) await server.event('open');
  cem.end();
  ann.write('from ann');
  const heard = await Promise.all([readSome(bob, 8), readSome(cem, 8)]);
  assert.deepEqual(heard.map(String), ['from ann', 'from ann']);
  bob.write('from bob');
  assert.equal((await readSome(ann, 8)).toString(), 'from bob');
  ann.destroy();
  bob.destroy();
  cem.destroy();
  await server.stop();
});

test('a chat client that stands still stops nobody, and gets everything when it goes on', async (t) => {
  const server = start(['tcp-server', '0', '--chat']);
  const { port } = await server.event('listening');
  const [sender, fast, stalled] = await connectThree(t, port);
  for (let count = 0; count < 3; count += 1) await server.event('open');
  stalled.pause();
  const bytes = someBytes(24_000_000);
  const received = readSome(fast, bytes.length);
  sender.write(bytes);
  assert.ok((await received).equals(bytes));
  assert.ok((await readSome(stalled, bytes.length)).equals(bytes));
  for (const socket of [sender, fast, stalled]) socket.destroy();
  await server.stop();
});

test('--send gives each client the file and prints what it says', async (t) => {
  const folder = tempDir(t);
  const bytes = someBytes(700_000);
  writeFileSync(join(folder, 'page'), bytes);
  const server = start(['tcp-server', '0', '--send', 'page'], { cwd: folder });
  const { port } = await server.event('listening');
  for (let count = 0; count < 2; count += 1) {
    const socket = await connectTcp(t, { port });
    socket.end('thanks');
    assert.ok((await readAll(socket)).equals(bytes));
    assert.equal((await server.event('data')).text, 'thanks');
  }
  await server.stop();
});

test('--save keeps each client in a file of its own, and one that breaks off under .part', async (t) => {
  const folder = tempDir(t);
  const server = start(['tcp-server', '0', '--save', folder, '--checksum']);
  const { port } = await server.event('listening');
  const whole = await connectTcp(t, { port });
  whole.end('all of it');
  await readAll(whole);
  const { file, sha256In } = await server.event('close');
  assert.equal(readFileSync(file, 'utf8'), 'all of it');
  assert.equal(sha256In, '07630777646b9ad0ad5940c20f7703e5ba431d90dc8f191af6916bffca3e859c');
  const broken = await connectTcp(t, { port });
  broken.write('half of');
  await server.event('open');
  await server.event('open');
  while (
    !readdirSync(folder).some((name) => name.endsWith('.part') && readFileSync(join(folder, name)).length > 0)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  broken.resetAndDestroy();
  assert.equal((await server.event('close')).reason, 'reset');
  assert.deepEqual(
    readdirSync(folder).map((name) => name.endsWith('.part')),
    [false, true],
  );
  await server.stop();
});

test('--exec joins each client to a process of its own, its stderr to ours', async (t) => {
  let stderr = '';
  const server = start(['tcp-server', '0', '--exec', 'echo "peer $NETTOOL_REMOTE_ADDRESS" >&2; tr a-z A-Z'], {
    onWrite: (stream, text) => {
      if (stream === 'stderr') stderr += text;
    },
  });
  const { port } = await server.event('listening');
  const bytes = someBytes(400_000);
  const [one, two] = await Promise.all([connectTcp(t, { port }), connectTcp(t, { port })]);
  one.end('shout');
  two.end(bytes);
  const [shouted, many] = await Promise.all([readAll(one), readAll(two)]);
  assert.equal(shouted.toString(), 'SHOUT');
  assert.equal(many.length, bytes.length);
  assert.match(stderr, /peer 127\.0\.0\.1\n/);
  await server.stop();
});

test('--exec: the connection ends with the process, whatever the client still says', async (t) => {
  const server = start(['tcp-server', '0', '--exec', 'head -c 3']);
  const { port } = await server.event('listening');
  const socket = await connectTcp(t, { port });
  socket.write('abcdef');
  assert.equal((await readAll(socket)).toString(), 'abc');
  socket.end();
  assert.equal((await server.event('close')).bytesOut, 3);
  await server.stop();
});

test('--forward joins clients to another server, half-close included', async (t) => {
  const target = await listenTcp(t, (socket) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => socket.end(Buffer.concat(chunks)));
  });
  const server = start(['tcp-server', '0', '--forward', `127.0.0.1:${target}`]);
  const { port } = await server.event('listening');
  const bytes = someBytes(2_000_000);
  const socket = await connectTcp(t, { port });
  socket.end(bytes);
  assert.ok((await readAll(socket)).equals(bytes));
  await server.stop();
});

test('--forward unix:PATH joins clients to a Unix socket, named from the working folder', async (t) => {
  const cwd = tempDir(t);
  const inner = start(['tcp-server', '--unix', 'inner.sock', '--echo'], { cwd });
  await inner.event('listening');
  const outer = start(['tcp-server', '0', '--forward', 'unix:inner.sock'], { cwd });
  const { port } = await outer.event('listening');
  const sent = someBytes(100_000);
  const { code, output } = await run(['tcp-client', '127.0.0.1', String(port)], { stdin: sent });
  assert.equal(code, 0);
  assert.ok(sent.equals(output));
  await outer.stop();
  await inner.stop();
});

test("--forward to where nobody listens is that connection's failure, and the server goes on", async (t) => {
  const free = await new Promise<number>((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
  const server = start(['tcp-server', '0', '--forward', `127.0.0.1:${free}`]);
  const { port } = await server.event('listening');
  const socket = await connectTcp(t, { port });
  await readAll(socket);
  const { code, id } = await server.event('connection-error');
  assert.deepEqual([code, id], ['CONNECTION_REFUSED', 1]);
  assert.equal((await server.stop()).code, 0);
});

test('--max-connections lets the next one wait, and it is served when there is room', async (t) => {
  const server = start(['tcp-server', '0', '--echo', '--max-connections', '2']);
  const { port } = await server.event('listening');
  const first = await connectTcp(t, { port });
  const second = await connectTcp(t, { port });
  await server.event('open');
  await server.event('open');
  const third = await connectTcp(t, { port });
  third.write('waiting');
  let answered = false;
  const answer = readSome(third, 7).then((bytes) => {
    answered = true;
    return bytes.toString();
  });
  second.write('x');
  await readSome(second);
  assert.equal(answered, false);
  first.end();
  assert.equal(await answer, 'waiting');
  second.destroy();
  third.destroy();
  await server.stop();
});

test('--idle-timeout ends a silent connection, not one that is at work', async (t) => {
  const server = start(['tcp-server', '0', '--echo', '--idle-timeout', '300ms']);
  const { port } = await server.event('listening');
  const silent = await connectTcp(t, { port });
  const busy = await connectTcp(t, { port });
  const timer = setInterval(() => busy.write('.'), 50);
  t.after(() => clearInterval(timer));
  busy.resume();
  const { id, reason } = await server.event('close');
  assert.deepEqual([id, reason], [1, 'idle']);
  await readAll(silent);
  assert.equal(busy.destroyed, false);
  clearInterval(timer);
  busy.destroy();
  await server.stop();
});

test('--deny wins over --allow, and whoever is refused is told of', async (t) => {
  const server = start(['tcp-server', '0', '--echo', '--allow', '127.0.0.0/8', '--deny', '127.0.0.2']);
  const { port } = await server.event('listening');
  const allowed = await connectTcp(t, { port });
  allowed.write('x');
  assert.equal((await readSome(allowed)).toString(), 'x');
  const denied = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  denied.on('error', () => {});
  await once(denied.resume(), 'close');
  const { code, remoteAddress } = await server.event('connection-error');
  assert.deepEqual([code, remoteAddress], ['PERMISSION', '127.0.0.2']);
  allowed.destroy();
  await server.stop();
});

/** Speaks and resets while this process, and so its servers, stands still: they accept what is gone already. */
function sendAndReset(port: number): void {
  const code = `const s = require('net').connect(${port}, '127.0.0.1', () => s.write('gone', () => s.resetAndDestroy()))`;
  spawnSync(process.execPath, ['-e', code]);
}

test('a client that has reset before it was accepted passes no rule, and is none of a Unix socket', async () => {
  for (const rule of [
    ['--deny', '127.0.0.1'],
    ['--allow', 'unix'],
    ['--allow', '0.0.0.0/0'],
  ]) {
    const strict = start(['tcp-server', '0', '--echo', ...rule]);
    sendAndReset((await strict.event('listening')).port as number);
    assert.equal((await strict.event('connection-error')).code, 'PERMISSION');
    assert.match((await strict.stop()).stdout, /"connections":0,/);
  }
  const open = start(['tcp-server', '0', '--echo']);
  sendAndReset((await open.event('listening')).port as number);
  assert.match(String((await open.event('connection-error')).message), /^lost the connection to the peer /);
  await open.stop();
});

test('a stop lets a connection that is at work finish, and ends an idle one', async (t) => {
  const server = start(['tcp-server', '0', '--echo']);
  const { port } = await server.event('listening');
  const idle = await connectTcp(t, { port });
  const busy = await connectTcp(t, { port });
  await server.event('open');
  await server.event('open');
  let sent = 0;
  const received = readAll(busy);
  const timer = setInterval(() => {
    busy.write('0123456789');
    sent += 10;
    if (sent < 100) return;
    clearInterval(timer);
    busy.end();
  }, 30);
  idle.on('end', () => idle.end());
  idle.resume();
  const { code } = await server.stop();
  assert.equal(code, 0);
  assert.equal((await received).length, 100);
});

test('--limit-rate slows each direction down', async (t) => {
  const server = start(['tcp-server', '0', '--sink', '--limit-rate', '200k']);
  const { port } = await server.event('listening');
  const socket = await connectTcp(t, { port });
  socket.resume();
  socket.end(Buffer.alloc(200 * 1024));
  const { durationMs, bytesIn } = await server.event('close');
  assert.equal(bytesIn, 200 * 1024);
  assert.ok(durationMs > 800 && durationMs < 1600, `${durationMs} ms`);
  await server.stop();
});

test('a character cut in two by segments is one in the data events, and binary is base64', async (t) => {
  const server = start(['tcp-server', '0']);
  const { port } = await server.event('listening');
  const socket = await connectTcp(t, { port });
  socket.setNoDelay(true);
  const text = Buffer.from('Zażółć 漢');
  socket.write(text.subarray(0, text.length - 1));
  assert.equal((await server.event('data')).text, 'Zażółć ');
  socket.write(text.subarray(text.length - 1));
  assert.equal((await server.event('data')).text, '漢');
  socket.end(Buffer.from([0xff, 0x00, 0x80]));
  assert.equal((await server.event('data')).base64, '/wCA');
  await server.stop();
});

test('--unix replaces a stale socket file, and leaves a live one and other files alone', async (t) => {
  const folder = tempDir(t);
  const path = join(folder, 'sock');
  const first = start(['tcp-server', '--unix', 'sock', '--echo'], { cwd: folder });
  const { url } = await first.event('listening');
  assert.equal(url, `unix:${path}`);
  const client = await run(['tcp-client', '--unix', path, '--send', 'over the file system']);
  assert.deepEqual([client.code, client.stdout], [0, 'over the file system']);
  const opened = await first.event('open');
  assert.equal(opened.remoteAddress, null);
  const second = await run(['tcp-server', '--unix', path]);
  assert.deepEqual([second.code, existsSync(path)], [45, true]);
  assert.match(second.stderr, /another server listens there/);
  await first.stop();
  // A server that was killed leaves its file.
  const dead = createServer().listen(`${path}.dead`);
  await once(dead, 'listening');
  const { renameSync } = await import('node:fs');
  renameSync(`${path}.dead`, path);
  dead.close();
  await once(dead, 'close');
  const third = start(['tcp-server', '--unix', path, '--echo']);
  await third.event('listening');
  await third.stop();
  writeFileSync(path, 'a letter');
  assert.equal((await run(['tcp-server', '--unix', path])).code, 45);
  assert.equal(readFileSync(path, 'utf8'), 'a letter');
  assert.equal((await run(['tcp-server', '--unix', join(folder, 'no', 'folder')])).code, 45);
  assert.equal((await run(['tcp-client', '--unix', join(folder, 'nobody')])).code, 7);
});

test('--hex shows both directions with offsets', async (t) => {
  const chunks: string[] = [];
  const stopper = new AbortController();
  const done = run(['tcp-server', '0', '--hex', '--reply', 'ok', '--once'], {
    signal: stopper.signal,
    onWrite: (stream, text) => {
      if (stream === 'stdout') chunks.push(text);
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port !== undefined) {
        void connectTcp(t, { port: Number(port) }).then((socket) => socket.resume().end('hi\u0001'));
      }
    },
  });
  await done;
  assert.equal(
    chunks.join(''),
    '[1] < 00000000  68 69 01                                          |hi.|\n' +
      '[1] > 00000000  6f 6b                                             |ok|\n',
  );
});

test('on a terminal what comes is escaped, and each line named by its connection', async (t) => {
  const { stdout } = await run(['tcp-server', '0', '--once'], {
    stdoutTTY: true,
    env: { NO_COLOR: '1' },
    onWrite: (_stream, text) => {
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port !== undefined) {
        void connectTcp(t, { port: Number(port) }).then((socket) =>
          socket.resume().end('one\ntwo\u001b[2J\n'),
        );
      }
    },
  });
  assert.equal(stdout, '[1] one\n[1] two\\x1b[2J\n');
});

test('a reader of stdout that stands still holds the clients up, and memory stays where it is', async (t) => {
  let wake = (): void => {};
  let stalled = true;
  const stdout = Object.assign(
    new Writable({
      highWaterMark: 64 * 1024,
      write(_chunk, _encoding, done) {
        if (stalled) wake = done;
        else done();
      },
    }),
    { isTTY: false },
  );
  let port = 0;
  const stopper = new AbortController();
  const listening = Promise.withResolvers<void>();
  const done = run(['tcp-server', '0', '-v'], {
    stdout,
    signal: stopper.signal,
    onWrite: (_stream, text) => {
      port ||= Number(/listening on 127\.0\.0\.1:(\d+)/.exec(text)?.[1] ?? 0);
      if (port > 0) listening.resolve();
    },
  });
  await listening.promise;
  const socket = await connectTcp(t, { port });
  const block = Buffer.alloc(1_000_000);
  const before = process.memoryUsage().rss;
  let written = 0;
  while (written < 100 && socket.write(block)) written += 1;
  for (; written < 60; written += 1) socket.write(block);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(stdout.writableLength < 1_000_000, `${stdout.writableLength} bytes wait`);
  assert.ok(socket.writableLength > 20_000_000, 'the client is held up');
  assert.ok(process.memoryUsage().rss - before < 150 * 2 ** 20);
  socket.destroy();
  stalled = false;
  wake();
  stopper.abort();
  await done;
});

test('bad input is one line and the exit code of the table', async (t) => {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'dir'));
  const busy = await listenTcp(t, () => {});
  const cases: Array<[string[], number, RegExp]> = [
    [['65536'], 2, /'65536' is not a port/],
    [['http'], 2, /'http' is not a port/],
    [[''], 2, /'' is not a port/],
    [[], 2, /a port is missing/],
    [['localhost', '0', 'more'], 2, /'more' is one argument too many/],
    [['0', '--echo', '--sink'], 2, /--echo and --sink are two modes/],
    [['0', '--cert', 'x'], 2, /--cert goes with --tls/],
    [['0', '--allow', '10.0.0.0/33'], 2, /is not an address or network/],
    [['0', '--max-connections', '0'], 2, /at least 1/],
    [['0', '--forward', 'nowhere'], 2, /not HOST:PORT/],
    [['no-such-host.invalid', '0'], 6, /no such host/],
    [['203.0.113.7', '0'], 45, /no such address/],
    [[String(busy)], 45, /address already in use\)\nhint: port \d+ is free/],
    [['0', '--send', 'nothing'], 26, /cannot read .*nothing \(no such file/],
    [['0', '--send', 'dir'], 26, /is a directory/],
    [['0', '--reply', '@nothing'], 26, /cannot read nothing/],
    [['0', '--save', 'nowhere'], 23, /cannot save into/],
    [['0', '--exec', 'no-such-command --flag'], 26, /cannot run no-such-command/],
    [['0', '--tls', '--cert', 'nothing'], 26, /cannot read the certificate/],
    [['--unix', 'x', '80'], 2, /--unix stands instead/],
  ];
  for (const [args, code, words] of cases) {
    const result = await run(['tcp-server', ...args], { cwd: folder });
    assert.match(result.stderr, words, args.join(' '));
    assert.equal(result.code, code, args.join(' '));
    assert.ok(result.stderr.trim().split('\n').length <= 2, result.stderr);
    assert.equal(result.stdout, '');
  }
});
