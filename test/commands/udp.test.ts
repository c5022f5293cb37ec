import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { needs } from '../helpers/programs.js';
import { parseLines, run, start } from '../helpers/run.js';
import { startShell } from '../helpers/shell.js';
import { someBytes } from '../helpers/sockets.js';
import { tempDir } from '../helpers/temp-dir.js';

/** A UDP socket of this process. */
async function udp(t: TestContext): Promise<{ socket: ReturnType<typeof createSocket>; port: number }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return { socket, port: socket.address().port };
}

test('udp-server --reply answers each datagram; udp-client --once ends at the answer', async () => {
  const server = start(['udp-server', '0', '--reply', 'pong']);
  const { port, url, host } = await server.event('listening');
  assert.deepEqual([host, url], ['127.0.0.1', `udp://127.0.0.1:${port}`]);
  for (let count = 0; count < 2; count += 1) {
    const { code, stdout } = await run(['udp-client', '127.0.0.1', String(port), '--send', 'ping', '--once']);
    assert.deepEqual([code, stdout], [0, 'pong']);
    assert.equal((await server.event('data')).text, 'ping');
  }
  assert.equal((await server.event('open')).id, 1);
  assert.equal((await server.event('open')).id, 2);
  const { code, stdout } = await server.stop();
  assert.equal(code, 0);
  const closed = parseLines(stdout).at(-1);
  assert.deepEqual(closed, { type: 'closed', connections: 2, bytesIn: 8, bytesOut: 8 });
});

test('udp-client --send-only ends well when all is sent, and waits for nobody', async (t) => {
  const { socket, port } = await udp(t);
  const heard: string[] = [];
  const both = new Promise<void>((resolve) => {
    socket.on('message', (bytes) => heard.push(String(bytes)) === 2 && resolve());
  });
  const address = ['udp-client', '127.0.0.1', String(port), '--send-only'];
  const { code, stdout, stderr } = await run(address, { stdin: Readable.from(['jobs:1|c\n', 'jobs:2|c\n']) });
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
  await both;
  assert.deepEqual(heard, ['jobs:1|c\n', 'jobs:2|c\n']);
  const late = await run([...address, '--timeout', '50ms'], { stdin: new PassThrough() });
  assert.equal(late.code, 28);
  assert.match(late.stderr, /the time was up before all was sent/);
  assert.equal((await run([...address, '--once', '--send', 'x'])).code, 2);
});

test('stdin goes out a datagram per line, newline included, or per --chunk; an unfinished line too', async (t) => {
  for (const [flags, expected] of [
    [[], ['one\n', 'two\n', '\n', 'rest']],
    [
      ['--chunk', '5'],
      ['one\nt', 'wo\n\nr', 'est'],
    ],
  ] as const) {
    const { socket, port } = await udp(t);
    const received: string[] = [];
    socket.on('message', (bytes, { port: from }) => {
      received.push(bytes.toString());
      if (received.length === expected.length) socket.send('done', from, '127.0.0.1');
    });
    const stdin = Readable.from([Buffer.from('on'), Buffer.from('e\ntwo\n\nre'), Buffer.from('st')]);
    const { code } = await run(['udp-client', '127.0.0.1', String(port), '--once', ...flags], { stdin });
    assert.equal(code, 0);
    assert.deepEqual(received, expected);
  }
});

test('the largest datagram passes whole, and empty ones count', async (t) => {
  const folder = tempDir(t);
  const bytes = someBytes(65_507);
  writeFileSync(join(folder, 'big'), bytes);
  const server = start(['udp-server', '0', '--echo']);
  const { port } = await server.event('listening');
  const args = ['udp-client', '127.0.0.1', String(port), '--once'];
  const { output } = await run([...args, '--send-file', 'big', '--chunk', '65507'], { cwd: folder });
  assert.ok(output.equals(bytes));
  await server.stop();
  const printing = start(['udp-server', '0', '--once']);
  const { port: second } = await printing.event('listening');
  const { socket } = await udp(t);
  socket.send(Buffer.alloc(0), second, '127.0.0.1');
  assert.equal((await printing.event('data')).text, '');
  assert.equal((await printing.done).code, 0);
});

test('--timeout ends a client: 0 when it heard something, 28 when not', async (t) => {
  const { socket, port } = await udp(t);
  const args = ['udp-client', '127.0.0.1', String(port), '--send', 'hm', '--timeout', '250ms'];
  assert.equal((await run(args)).code, 28);
  socket.on('message', (_bytes, { port: from }) => {
    socket.send('a', from, '127.0.0.1');
    socket.send('b', from, '127.0.0.1');
  });
  const { code, stdout } = await run(args);
  assert.deepEqual([code, stdout], [0, 'ab']);
});

test('--expect is 0 at a match and 20 without one; nobody there is 7', async (t) => {
  const { socket, port } = await udp(t);
  socket.on('message', (_bytes, { port: from }) => socket.send('version 7', from, '127.0.0.1'));
  const args = ['udp-client', '127.0.0.1', String(port), '--send', '?', '--timeout', '300ms', '--expect'];
  assert.equal((await run([...args, 'version \\d'])).code, 0);
  assert.equal((await run([...args, 'release'])).code, 20);
  const free = createSocket('udp4').bind(0, '127.0.0.1');
  await once(free, 'listening');
  const { port: closed } = free.address();
  free.close();
  const { code, stderr } = await run([
    'udp-client',
    '127.0.0.1',
    String(closed),
    '--send',
    '?',
    '--timeout',
    '5s',
  ]);
  assert.equal(code, 7);
  assert.match(stderr, /cannot reach 127\.0\.0\.1:\d+ \(connection refused\)/);
});

test('a server sends its stdin to everybody it has heard', async (t) => {
  const stdin = new PassThrough();
  const server = start(['udp-server', '0'], { stdin });
  const { port } = await server.event('listening');
  const one = await udp(t);
  const two = await udp(t);
  one.socket.send('1', port, '127.0.0.1');
  two.socket.send('2', port, '127.0.0.1');
  await server.event('data');
  await server.event('data');
  const heard = Promise.all([once(one.socket, 'message'), once(two.socket, 'message')]);
  stdin.write('to all\n');
  for (const [bytes] of await heard) assert.equal(String(bytes), 'to all\n');
  await server.stop();
});

test('--chat relays to the others, --forward to a target and back, --deny hears nobody', async (t) => {
  const chat = start(['udp-server', '0', '--chat']);
  const { port } = await chat.event('listening');
  const one = await udp(t);
  const two = await udp(t);
  one.socket.send('hi', port, '127.0.0.1');
  await chat.event('open');
  const heard = once(one.socket, 'message');
  two.socket.send('hello one', port, '127.0.0.1');
  assert.equal(String((await heard)[0]), 'hello one');
  await chat.stop();

  const echo = start(['udp-server', '0', '--echo', '--deny', '127.0.0.9']);
  const { port: target } = await echo.event('listening');
  const forward = start(['udp-server', '0', '--forward', `127.0.0.1:${target}`]);
  const { port: via } = await forward.event('listening');
  const { stdout } = await run([
    'udp-client',
    '127.0.0.1',
    String(via),
    '--send',
    'there and back',
    '--once',
  ]);
  assert.equal(stdout, 'there and back');
  const args = ['udp-client', '127.0.0.1', String(target), '--send', 'x', '--timeout', '200ms'];
  assert.equal((await run([...args, '--source', '127.0.0.9'])).code, 28);
  assert.equal((await run(args)).code, 0);
  await forward.stop();
  await echo.stop();
});

test('an interface is named by its name, too, and a group alone is listened on', async (t) => {
  const [loopback] = Object.entries(networkInterfaces()).find(([, all]) =>
    all?.some(({ address }) => address === '127.0.0.1'),
  ) ?? ['lo'];
  const joined = `239.255.7.8%${loopback}`;
  const server = start(['udp-server', '239.255.7.8', '0', '--multicast', joined]);
  const { port, host } = await server.event('listening');
  assert.equal(host, '239.255.7.8');
  const { socket } = await udp(t);
  socket.setMulticastInterface('127.0.0.1');
  socket.send('anybody?', port, '239.255.7.8');
  assert.equal((await server.event('data')).text, 'anybody?');
  const nowhere = await run(['udp-server', '0', '--multicast', '239.255.7.8%nowhere']);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /no interface 'nowhere' with an IPv4 address/);
  const client = start(['udp-client', '127.0.0.1', '9', '--multicast', joined]);
  await client.event('open');
  await client.stop();
  await server.stop();
});

test('what is sent keeps --idle-timeout from ending a client', async (t) => {
  const { socket, port } = await udp(t);
  const stdin = new PassThrough();
  const args = ['udp-client', '127.0.0.1', String(port), '--idle-timeout', '1s', '--json'];
  const client = run(args, { stdin });
  for (let count = 0; count < 3; count += 1) {
    const heard = once(socket, 'message');
    stdin.write('still here\n');
    await heard;
    await sleep(400);
  }
  const closed = parseLines((await client).stdout).find(({ type }) => type === 'close');
  assert.deepEqual([closed.reason, closed.bytesOut], ['idle', 33]);
  assert.ok(closed.durationMs >= 1700, `ended after ${closed.durationMs} ms`);
});

test('a multicast group is joined and heard', async (t) => {
  const server = start(['udp-server', '0', '--multicast', '239.255.7.7%127.0.0.1', '--reply', 'here']);
  const { port } = await server.event('listening');
  const { socket } = await udp(t);
  socket.setMulticastInterface('127.0.0.1');
  const answered = once(socket, 'message');
  socket.send('anybody?', port, '239.255.7.7');
  assert.equal((await server.event('data')).text, 'anybody?');
  assert.equal(String((await answered)[0]), 'here');
  await server.stop();
  assert.equal((await run(['udp-server', '0', '--multicast', '10.0.0.1'])).code, 2);
});

test('IPv6 datagrams, data as base64 where it is no text, and the clock of --time', async () => {
  const server = start(['udp-server', '::1', '0', '--echo', '--time']);
  const { port, time } = await server.event('listening');
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const args = ['udp-client', '::1', String(port), '--once', '--json', '--send-file', '-', '--chunk', '3'];
  const { stdout } = await run([...args.slice(0, 5), '--chunk', '3'], {
    stdin: Buffer.from([0xff, 0xfe, 0x00]),
  });
  const [opened, data, closed] = parseLines(stdout);
  assert.deepEqual([opened.remoteAddress, data.base64, closed.bytesIn], ['::1', '//4A', 3]);
  await server.stop();
});

test('nc and socat speak with our server', needs('nc.openbsd', 'socat'), async (t) => {
  const server = start(['udp-server', '0', '--echo']);
  const { port } = await server.event('listening');
  const nc = startShell(t, `nc.openbsd -u -w 1 127.0.0.1 ${port}`, 'from nc');
  assert.equal((await nc.done).output.toString(), 'from nc');
  const socat = startShell(t, `socat -t 0.5 - UDP:127.0.0.1:${port}`, 'from socat');
  assert.equal((await socat.done).output.toString(), 'from socat');
  await server.stop();
});

test('bad input is one line and the exit code of the table', async (t) => {
  const { port } = await udp(t);
  const long = Buffer.alloc(70_000, 'x');
  const cases: Array<[string[], number, RegExp]> = [
    [['udp-server'], 2, /a port is missing/],
    [['udp-server', '99999'], 2, /'99999' is not a port/],
    [['udp-server', String(port)], 45, /address already in use/],
    [['udp-server', '203.0.113.7', '0'], 45, /no such address/],
    [['udp-server', '0', '--echo', '--chat'], 2, /two modes/],
    [['udp-client', '127.0.0.1'], 2, /HOST and PORT are needed/],
    [['udp-client', '127.0.0.1', '0'], 2, /port 0/],
    [['udp-client', '127.0.0.1', '9', '--chunk', '70000'], 2, /a datagram carries/],
    [['udp-client', 'no-such-host.invalid', '9'], 6, /cannot resolve/],
    [['udp-client', '127.0.0.1', String(port), '--send', long.toString()], 63, /too large to send/],
    [['udp-client', '127.0.0.1', String(port)], 63, /does not fit into a datagram/],
  ];
  for (const [args, code, words] of cases) {
    const result = await run(args, { stdin: long });
    assert.match(result.stderr, words, args.join(' ').slice(0, 80));
    assert.equal(result.code, code, args.join(' ').slice(0, 80));
    assert.ok(result.stderr.trim().split('\n').length <= 2, result.stderr);
  }
});
