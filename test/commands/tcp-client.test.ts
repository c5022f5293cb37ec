import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { NettoolError } from '../../src/core/errors.js';
import { parseLines, run, start } from '../helpers/run.js';
import { freePort, listenTcp, someBytes } from '../helpers/sockets.js';
import { tempDir } from '../helpers/temp-dir.js';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('stdin goes out, its end is a FIN, and the whole answer that comes after it is printed', async (t) => {
  const answer = someBytes(4_000_000);
  const sent = someBytes(2_500_000);
  const received: Buffer[] = [];
  const port = await listenTcp(t, (socket) => {
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('end', () => setTimeout(() => socket.end(answer), 200));
  });
  const { code, output, stderr } = await run(['tcp-client', '127.0.0.1', String(port)], { stdin: sent });
  assert.deepEqual([code, stderr], [0, '']);
  assert.ok(output.equals(answer));
  assert.ok(Buffer.concat(received).equals(sent));
});

test('a peer that ends ends the client, although stdin stays open and silent', async (t) => {
  const gone = await listenTcp(t, (socket) => socket.end('bye', () => socket.destroy()));
  const held = await listenTcp(t, (socket) => socket.end('bye'));
  for (const port of [gone, held]) {
    const { code, stdout } = await run(['tcp-client', '127.0.0.1', String(port)], {
      stdin: new PassThrough(),
    });
    assert.deepEqual([code, stdout], [0, 'bye']);
  }
});

test('what stdin still has is sent to a peer that has ended its own side', async (t) => {
  const received = Promise.withResolvers<string>();
  const port = await listenTcp(t, (socket) => {
    let text = '';
    socket.end();
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('end', () => received.resolve(text));
  });
  const stdin = Readable.from(
    (async function* () {
      for (let count = 0; count < 5; count += 1) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        yield `line ${count}\n`;
      }
    })(),
  );
  const { code } = await run(['tcp-client', '127.0.0.1', String(port)], { stdin });
  assert.equal(code, 0);
  assert.equal(await received.promise, 'line 0\nline 1\nline 2\nline 3\nline 4\n');
});

test('--no-half-close ends at once when the input has ended', async (t) => {
  const received = Promise.withResolvers<string>();
  const port = await listenTcp(t, (socket) => {
    socket.once('data', (chunk: Buffer) => received.resolve(chunk.toString()));
  });
  const { code } = await run([
    'tcp-client',
    '127.0.0.1',
    String(port),
    '--no-half-close',
    '--send',
    'and off',
  ]);
  assert.equal(code, 0);
  assert.equal(await received.promise, 'and off');
});

test('--send-file sends the file, --checksum tells what passed in both directions', async (t) => {
  const folder = tempDir(t);
  const file = someBytes(1_500_000);
  writeFileSync(join(folder, 'file'), file);
  const port = await listenTcp(t, (socket) => {
    socket.on('data', (chunk: Buffer) => socket.write(chunk)).on('end', () => socket.end('!'));
  });
  const args = ['tcp-client', '127.0.0.1', String(port), '--send-file', 'file', '--checksum'];
  const { output, stderr } = await run(args, { cwd: folder });
  const echoed = Buffer.concat([file, Buffer.from('!')]);
  assert.ok(output.equals(echoed));
  assert.equal(stderr, `[1] sha256 received ${sha256(echoed)}\n[1] sha256 sent     ${sha256(file)}\n`);
  const events = parseLines((await run([...args, '--json'], { cwd: folder })).stdout);
  const { sha256In, sha256Out } = events.at(-1);
  assert.deepEqual([sha256In, sha256Out], [sha256(echoed), sha256(file)]);
});

test('--crlf makes CRLF of each LF and leaves those that are', async (t) => {
  const received = Promise.withResolvers<string>();
  const port = await listenTcp(t, (socket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('end', () => {
      received.resolve(text);
      socket.end();
    });
  });
  const stdin = Readable.from([Buffer.from('a\nb\r'), Buffer.from('\nc\n\n'), Buffer.from('\r\r\n')]);
  await run(['tcp-client', '127.0.0.1', String(port), '--crlf'], { stdin });
  assert.equal(await received.promise, 'a\r\nb\r\nc\r\n\r\n\r\r\n');
});

test('--expect ends well at a match across segments, also while the peer stays', async (t) => {
  const port = await listenTcp(t, (socket) => {
    socket.write('220 rea');
    setTimeout(() => socket.write('dy\r\n'), 50);
  });
  const { code, stdout } = await run(['tcp-client', '127.0.0.1', String(port), '--expect', '^220 .*ready']);
  assert.deepEqual([code, stdout], [0, '220 ready\r\n']);
});

test('--expect is exit 20 when the peer ends, or the time is up, without a match', async (t) => {
  const ends = await listenTcp(t, (socket) => socket.end('554 go away\r\n'));
  const stays = await listenTcp(t, (socket) => socket.write('554'));
  const first = await run(['tcp-client', '127.0.0.1', String(ends), '--send', 'x', '--expect', '220']);
  assert.equal(first.code, 20);
  assert.match(first.stderr, /the peer ended, and nothing that matches \/220\/mu came/);
  const args = ['tcp-client', '127.0.0.1', String(stays), '--expect', '220', '--timeout', '200ms', '--json'];
  const second = await run(args, { stdin: new PassThrough() });
  assert.equal(second.code, 20);
  const { type, code, exitCode } = parseLines(second.stdout).at(-1);
  assert.deepEqual([type, code, exitCode], ['error', 'EXPECTATION_FAILED', 20]);
});

test('--timeout and --idle-timeout are exit 28', async (t) => {
  const port = await listenTcp(t, (socket) => socket.write('.'));
  for (const flag of ['--timeout', '--idle-timeout']) {
    const { code, stderr } = await run(['tcp-client', '127.0.0.1', String(port), flag, '200ms'], {
      stdin: new PassThrough(),
    });
    assert.equal(code, 28, flag);
    assert.match(stderr, /(not finished within|nothing moved between here and 127\.0\.0\.1:\d+ for) 0\.2 s/);
  }
});

test('a peer that resets is exit 56, in events reason reset, and what came before is printed', async (t) => {
  const port = await listenTcp(t, (socket) => {
    socket.write('half of the ans');
    socket.once('data', () => socket.resetAndDestroy());
  });
  const client = start(['tcp-client', '127.0.0.1', String(port)], { stdin: Readable.from(['x']) });
  assert.equal((await client.event('data')).text, 'half of the ans');
  assert.equal((await client.event('close')).reason, 'reset');
  const { code, stderr } = await client.done;
  assert.equal(code, 56);
  assert.match(
    stderr,
    /^nettool tcp-client: lost the connection to 127\.0\.0\.1:\d+ \(connection reset by peer\)\n$/,
  );
});

test('Ctrl-C sums up and is exit 130', async (t) => {
  const port = await listenTcp(t, (socket) => socket.write('hello'));
  const stopper = new AbortController();
  const done = run(['tcp-client', '127.0.0.1', String(port)], {
    stdin: new PassThrough(),
    signal: stopper.signal,
    onWrite: (stream) => {
      if (stream === 'stdout') stopper.abort(new NettoolError('INTERRUPTED', 'interrupted'));
    },
  });
  const { code, stderr } = await done;
  assert.equal(code, 130);
  assert.match(stderr, /ended by us \(stopped by a signal\): 5 B received, 0 B sent/);
});

test('--wait tries until the port accepts, and gives up with the last failure', async (t) => {
  const port = await freePort();
  const { code, stderr } = await run([
    'tcp-client',
    '127.0.0.1',
    String(port),
    '--wait',
    '300ms',
    '--send',
    'x',
  ]);
  assert.equal(code, 7);
  assert.match(stderr, /connection refused/);
  const client = run(['tcp-client', '127.0.0.1', String(port), '--wait', '10s', '--send', 'x']);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.resume().end('at last'));
  t.after(() => server.close());
  server.listen(port, '127.0.0.1');
  assert.deepEqual((await client).stdout, 'at last');
});

test('--scan tells open from closed in the order asked for, and is exit 1 when none is open', async (t) => {
  const open = await listenTcp(t, () => {});
  const closed = await freePort();
  const result = await run(['tcp-client', '127.0.0.1', `${closed},${open}`, '--scan']);
  assert.deepEqual([result.code, result.stdout], [0, `${closed} closed\n${open} open\n`]);
  const none = await run(['tcp-client', 'localhost', `${closed}-${closed}`, '--scan', '--json']);
  assert.equal(none.code, 1);
  assert.deepEqual(parseLines(none.stdout), [{ type: 'port', port: closed, state: 'closed' }]);
});

test('--scan of thousands of ports takes seconds, not minutes, and finds the one that is open', async (t) => {
  const open = await listenTcp(t, () => {});
  const first = Math.max(1, open - 1500);
  const { stdout, code } = await run([
    'tcp-client',
    '127.0.0.1',
    `${first}-${Math.min(65_535, open + 500)}`,
    '--scan',
  ]);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^${open} open$`, 'm'));
});

test('--source connects from that address and port', async (t) => {
  const peer = Promise.withResolvers<string>();
  const port = await listenTcp(t, (socket) => {
    peer.resolve(`${socket.remoteAddress}:${socket.remotePort}`);
    socket.resume().end();
  });
  const from = await freePort();
  const { code } = await run([
    'tcp-client',
    '127.0.0.1',
    String(port),
    '--source',
    `127.0.0.3:${from}`,
    '--send',
    '',
  ]);
  assert.equal(code, 0);
  assert.equal(await peer.promise, `127.0.0.3:${from}`);
  const none = await run(['tcp-client', '127.0.0.1', String(port), '--source', '203.0.113.9', '--send', '']);
  assert.deepEqual([none.code, /no such address/.test(none.stderr)], [45, true], none.stderr);
});

test('IPv6 works, and -4 and -6 choose', async (t) => {
  const port = await listenTcp(t, (socket) => socket.resume().end('six'), '::1');
  for (const host of ['::1', '[::1]']) {
    assert.equal((await run(['tcp-client', host, String(port), '--send', ''])).stdout, 'six');
  }
  assert.equal((await run(['tcp-client', 'localhost', String(port), '-4', '--send', ''])).code, 7);
  // Not every machine has an IPv6 address for localhost.
  const six = await run(['tcp-client', 'localhost', String(port), '-6', '--send', '']);
  assert.ok(six.stdout === 'six' || six.code === 6, six.stderr);
  assert.equal((await run(['tcp-client', '::1', String(port), '-4', '-6'])).code, 2);
});

test('--throughput measures against --sink and, with --reverse, against --source', async () => {
  for (const [mode, flags] of [
    ['--sink', []],
    ['--source', ['--reverse']],
  ] as const) {
    const server = start(['tcp-server', '0', mode]);
    const { port } = await server.event('listening');
    const args = ['tcp-client', '127.0.0.1', String(port), '--throughput', '1.2s', ...flags, '--json'];
    const { code, stdout } = await run(args);
    assert.equal(code, 0);
    const events = parseLines(stdout);
    const types = events.map(({ type }) => type);
    assert.deepEqual(types, ['open', 'interval', 'throughput', 'close']);
    const { bytesIn, bytesOut, bytesInPerSecond, bytesOutPerSecond } = events[2];
    const [moved, rate] = mode === '--sink' ? [bytesOut, bytesOutPerSecond] : [bytesIn, bytesInPerSecond];
    assert.ok(moved > 10_000_000 && rate > 5_000_000, stdout);
    const closed = await server.event('close');
    if (mode === '--sink') assert.equal(closed.bytesIn, bytesOut);
    assert.equal((await server.stop()).code, 0);
  }
});

test('--progress tells once a second, and without it nobody does', async (t) => {
  const port = await listenTcp(t, (socket) => {
    socket.write('some');
    setTimeout(() => socket.end(), 1300);
  });
  const args = ['tcp-client', '127.0.0.1', String(port), '--send', 'x', '--json'];
  const types = async (flags: string[]) =>
    parseLines((await run([...args, ...flags])).stdout).map(({ type }) => type);
  const [quiet, telling] = await Promise.all([types([]), types(['--progress'])]);
  assert.deepEqual(quiet, ['open', 'data', 'close']);
  assert.deepEqual(telling, ['open', 'data', 'progress', 'close']);
});

test('bad input is one line and the exit code of the table', async (t) => {
  const folder = tempDir(t);
  const closed = String(await freePort());
  const cases: Array<[string[], number, RegExp]> = [
    [[], 2, /HOST and PORT are needed/],
    [['localhost'], 2, /HOST and PORT are needed/],
    [['localhost', '70000'], 2, /'70000' is not a port/],
    [['localhost', '-1', '--scan'], 2, /./],
    [['localhost', '80-', '--scan'], 2, /'' is not a port/],
    [['localhost', '90-80', '--scan'], 2, /not a port or a range/],
    [['localhost', '80', '81'], 2, /one argument too many/],
    [['', '80'], 2, /'' is not a host/],
    [['localhost', closed, '--expect', '('], 2, /not a regular expression/],
    [['localhost', closed, '--reverse'], 2, /--reverse goes with --throughput/],
    [['localhost', closed, '--sni', 'x'], 2, /--sni goes with --tls/],
    [['localhost', closed, '--send', 'x', '--send-file', 'y'], 2, /instead of each other/],
    [['localhost', closed, '--proxy', 'ftp://x'], 2, /not a proxy URL/],
    [['localhost', closed, '--source', 'lo'], 2, /--source: 'lo' is not HOST:PORT/],
    [['localhost', closed, '--limit-rate', '0'], 2, /a rate of 0 moves nothing/],
    [['no-such-host.invalid', '80'], 6, /cannot resolve no-such-host\.invalid/],
    [['127.0.0.1', closed], 7, /cannot connect to 127\.0\.0\.1:\d+ \(connection refused\)/],
    [['localhost', closed, '--send-file', 'nothing'], 26, /cannot read .*nothing/],
    [['localhost', closed, '--tls', '--cacert', 'nothing'], 26, /cannot read the CA certificate/],
  ];
  for (const [args, code, words] of cases) {
    const result = await run(['tcp-client', ...args], { cwd: folder });
    assert.match(result.stderr, words, args.join(' '));
    assert.equal(result.code, code, args.join(' '));
    assert.ok(result.stderr.trim().split('\n').length <= 2, result.stderr);
  }
});
