import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { NettoolError } from '../../src/core/errors.js';
import { hasTool } from '../helpers/namespaces.js';
import { type Json, parseLines, run, start } from '../helpers/run.js';

const icmp = await run(['ping', '-c', '1', '-W', '1', '127.0.0.1', '--json']);
const skip = icmp.code === 0 ? false : 'ICMP is not permitted here';

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A port nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('ping of loopback prints header, replies and summary on stdout', { skip }, async () => {
  const { code, stdout, stderr } = await run(['ping', '-c', '3', '-i', '0.01', '127.0.0.1']);
  assert.equal(code, 0);
  assert.equal(stderr, '');
  const lines = stdout.split('\n');
  assert.equal(lines[0], 'PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.');
  for (const seq of [1, 2, 3]) {
    assert.match(
      lines[seq] ?? '',
      new RegExp(`^64 bytes from 127\\.0\\.0\\.1: icmp_seq=${seq} ttl=\\d+ time=[\\d.]+ ms$`),
    );
  }
  assert.equal(lines[5], '--- 127.0.0.1 ping statistics ---');
  assert.match(lines[6] ?? '', /^3 packets transmitted, 3 received, 0% packet loss, time \d+ms$/);
  assert.match(lines[7] ?? '', /^rtt min\/avg\/max\/mdev = [\d.]+\/[\d.]+\/[\d.]+\/[\d.]+ ms$/);
});

test('ping --json tells start, replies and summary, one object a line', { skip }, async () => {
  const { code, stdout } = await run(['ping', '-c', '2', '-i', '0.01', '-s', '100', '127.0.0.1', '--json']);
  const events = parseLines(stdout);
  assert.equal(code, 0);
  assert.deepEqual(
    events.map((event) => event.type),
    ['start', 'reply', 'reply', 'summary'],
  );
  const [started, reply, , summary] = events;
  assert.match(started.method, /^(icmp-dgram|icmp-raw|system)$/);
  assert.deepEqual(
    [reply.host, reply.address, reply.seq, reply.bytes, reply.duplicate],
    ['127.0.0.1', '127.0.0.1', 1, 108, false],
  );
  assert.ok(reply.timeMs > 0 && reply.ttl > 0);
  for (const key of [
    'transmitted',
    'received',
    'lossPercent',
    'minMs',
    'avgMs',
    'maxMs',
    'mdevMs',
    'p50Ms',
    'p95Ms',
  ]) {
    assert.equal(typeof summary[key], 'number', key);
  }
});

test('with several hosts, one that does not resolve is told and the exit code is 1', { skip }, async () => {
  const { code, stdout, stderr } = await run(['ping', '-c', '1', '127.0.0.1', '127.0.0.2', 'nosuch.invalid']);
  assert.equal(code, 1);
  assert.match(stderr, /cannot resolve nosuch\.invalid/);
  assert.match(stdout, /\nhost +sent +recv/);
  const json = await run(['ping', '-c', '1', '127.0.0.1', 'nosuch.invalid', '--json']);
  const event = parseLines(json.stdout).find(({ type }) => type === 'host-error');
  assert.equal(event.host, 'nosuch.invalid');
  assert.match(event.code, /^DNS_/);
});

test('when no name resolves, the exit code is 6 and JSON ends with the error', async () => {
  for (const hosts of [['nosuch.invalid'], ['nosuch.invalid', 'neither.invalid']]) {
    const { code, stdout } = await run(['ping', '-c', '1', ...hosts, '--json']);
    assert.equal(code, 6);
    const last = parseLines(stdout).at(-1);
    assert.deepEqual([last.type, last.exitCode], ['error', 6]);
  }
  assert.equal((await run(['ping', '-6', '-c', '1', '127.0.0.1'])).code, 6);
});

test('Ctrl-C ends with the summary, and the exit code is by the replies', { skip }, async () => {
  const command = start(['ping', '-i', '0.05', '127.0.0.1']);
  await command.event('reply');
  const { code, stdout } = await command.stop(new NettoolError('INTERRUPTED', 'interrupted'));
  assert.equal(code, 0);
  assert.equal(parseLines(stdout).at(-1).type, 'summary');
});

test('hosts come from networks, ranges, files and stdin', { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nettool-ping-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'hosts'), '127.0.0.9\n# no\n127.0.0.10\n');
  const args = ['ping', '-q', '-c', '1', '-i', '0.01', '127.0.0.0/30', '127.0.0.5-6', '--json'];
  const fromFile = await run([...args, '--file', 'hosts'], { cwd: folder });
  const hosts = (stdout: string): string[] =>
    parseLines(stdout).flatMap((event: Json) => (event.type === 'summary' ? [event.host] : []));
  const common = ['127.0.0.1', '127.0.0.2', '127.0.0.5', '127.0.0.6'];
  assert.deepEqual(hosts(fromFile.stdout), [...common, '127.0.0.9', '127.0.0.10']);
  const fromStdin = await run([...args, '--file', '-'], { stdin: '127.0.0.7\n' });
  assert.deepEqual(hosts(fromStdin.stdout), [...common, '127.0.0.7']);
  const missing = await run(['ping', '--file', 'none'], { cwd: folder });
  assert.equal(missing.code, 26);
});

test('--alive prints only the hosts that answered', { skip }, async () => {
  const { stdout } = await run(['ping', '--alive', '-c', '1', '-i', '0.01', '127.0.0.1', '127.0.0.2']);
  assert.deepEqual(stdout.split('\n').filter(Boolean).sort(), ['127.0.0.1', '127.0.0.2']);
});

test('--graph draws a chart where stdout is no terminal, and redraws it in place where it is one', {
  skip,
}, async () => {
  const { stdout } = await run(['ping', '--graph', '-c', '5', '-i', '0.01', '127.0.0.1']);
  assert.match(stdout, /^127\.0\.0\.1 {2}last [\d.]+ ms, max [\d.]+ ms {2}0% loss of 5\n/);
  assert.match(stdout, /[▁▂▃▄▅▆▇█]{5}/);
  const terminal = await run(['ping', '--graph', '-c', '8', '-i', '0.05', '127.0.0.1'], { stdoutTTY: true });
  assert.match(terminal.stdout, /\u001b\[9A/);
});

test('--tcp times connections; a refusal is an error that exits 1', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.destroy()),
  );
  const open = await run(['ping', '--tcp', String(port), '-c', '2', '-i', '0.01', '127.0.0.1', '--json']);
  const events = parseLines(open.stdout);
  assert.equal(open.code, 0);
  assert.deepEqual([events[0].method, events[0].port], ['tcp', port]);
  assert.equal(events.filter((event) => event.type === 'reply').length, 2);
  assert.ok(events[1].timeMs > 0);
  const closed = await run(['ping', '--tcp', String(await closedPort()), '-c', '1', '127.0.0.1', '--json']);
  const error = parseLines(closed.stdout)[1];
  assert.equal(closed.code, 1);
  assert.deepEqual(
    [error.type, error.from, error.icmpType, error.code, error.message],
    ['probe-error', '127.0.0.1', null, 'ECONNREFUSED', 'Connection refused'],
  );
});

test('--http times the first byte of a HEAD answer and shows its status', async (t) => {
  const seen: string[] = [];
  const server = createHttpServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`);
    response.writeHead(503).end();
  });
  const port = await listen(t, server);
  const { code, stdout } = await run(['ping', '--http', `http://127.0.0.1:${port}/health?x=1`, '-c', '1']);
  assert.equal(code, 0);
  assert.match(stdout, /^HTTP 503 from 127\.0\.0\.1: seq=1 time=[\d.]+ ms$/m);
  assert.deepEqual(seen, [`HEAD /health?x=1 127.0.0.1:${port}`]);
});

test('--http over TLS checks the certificate', {
  skip: hasTool('openssl') ? false : 'no openssl',
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nettool-ping-'));
  t.after(() => rm(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-days', '1'];
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const files = { key: await readFile(key), cert: await readFile(cert) };
  const server = createHttpsServer(files, (_request, response) => response.end());
  const port = await listen(t, server);
  const args = ['ping', '--http', `https://127.0.0.1:${port}/`, '-c', '1', '--json'];
  const refused = await run(args);
  assert.equal(refused.code, 1);
  assert.equal(parseLines(refused.stdout)[1].message, 'Self-signed certificate');
  setDefaultCACertificates([...getCACertificates(), files.cert.toString()]);
  t.after(() => setDefaultCACertificates(getCACertificates('bundled')));
  const trusted = await run(args);
  assert.equal(parseLines(trusted.stdout)[1].status, 200);
});

test('--http on something that is not HTTP, or says nothing, is an error', async (t) => {
  const rude = await listen(
    t,
    createServer((socket) => socket.end('SSH-2.0-x\r\n')),
  );
  const silent = await listen(
    t,
    createServer((socket) => socket.on('data', () => socket.end())),
  );
  for (const [port, words] of [
    [rude, 'The answer is not HTTP'],
    [silent, 'The server closed without a reply'],
  ] as const) {
    const { code, stdout } = await run(['ping', '--http', `http://127.0.0.1:${port}/`, '-c', '1', '--json']);
    assert.equal(code, 1);
    assert.equal(parseLines(stdout)[1].message, words);
  }
});

test('a probe that gets no answer in time is a timeout', async (t) => {
  const port = await listen(
    t,
    createServer(() => {}),
  );
  const args = [
    'ping',
    '--http',
    `http://127.0.0.1:${port}/`,
    '-c',
    '2',
    '-i',
    '0.05',
    '-W',
    '0.2',
    '--json',
  ];
  const { code, stdout } = await run(args);
  const events = parseLines(stdout);
  assert.equal(code, 1);
  assert.deepEqual(
    events.filter((event) => event.type === 'timeout').map((event) => event.seq),
    [1, 2],
  );
  assert.deepEqual([events.at(-1).lossPercent, events.at(-1).minMs], [100, null]);
});

test('--until-up waits for a service, --until-down for its end; a deadline gives up', async (t) => {
  const port = await closedPort();
  const waiting = start(['ping', '--tcp', String(port), '--until-up', '-i', '0.05', '127.0.0.1']);
  await waiting.event('probe-error');
  const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  t.after(() => server.close());
  assert.equal((await waiting.done).code, 0);
  const watching = start(['ping', '--tcp', String(port), '--until-down', '-i', '0.05', '127.0.0.1']);
  await watching.event('reply');
  server.close();
  assert.equal((await watching.done).code, 0);
  const late = await run([
    'ping',
    '--tcp',
    String(port),
    '--until-up',
    '-i',
    '0.05',
    '-w',
    '0.2',
    '127.0.0.1',
  ]);
  assert.equal(late.code, 1);
});

test('with a deadline, -c counts replies', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.destroy()),
  );
  const enough = await run(['ping', '--tcp', String(port), '-c', '2', '-w', '5', '-i', '0.01', '127.0.0.1']);
  assert.equal(enough.code, 0);
  const tooFew = await run([
    'ping',
    '--tcp',
    String(port),
    '-c',
    '1000',
    '-w',
    '0.2',
    '-i',
    '0.05',
    '127.0.0.1',
  ]);
  assert.equal(tooFew.code, 1);
});

test('what makes no sense is a usage error that says why', async () => {
  const cases: ReadonlyArray<readonly [args: string, words: RegExp]> = [
    ['', /a host is missing/],
    ['-c 0 h', /'0' is not a number from 1/],
    ['-s 65528 h', /from 0 to 65527/],
    ['-4 -s 65508 h', /-s is at most 65507 for IPv4/],
    ['-t 0 h', /from 1 to 255/],
    ['-t 256 h', /from 1 to 255/],
    ['-Q 256 h', /from 0 to 255/],
    ['-p xyz h', /hexadecimal/],
    ['-i -1 h', /not a duration/],
    ['-M maybe h', /Allowed choices are do, want, dont, probe/],
    ['-4 -6 h', /exclude each other/],
    ['--tcp 70000 h', /not a port/],
    ['--tcp 80 --http h', /exclude each other/],
    ['--tcp 80 -s 100 h', /--size is for ICMP probes only/],
    ['--tcp 80 -I eth0 h', /takes an address/],
    ['--http ftp://x/ h', /not an http or https URL/],
    ['10.0.0.0/8', /more than 65536 hosts/],
  ];
  for (const [args, words] of cases) {
    const { code, stderr } = await run(['ping', ...args.split(' ').filter(Boolean)]);
    assert.equal(code, 2, args);
    assert.match(stderr, words);
  }
});

test('an interface or source address that is not there is named', { skip }, async () => {
  const noInterface = await run(['ping', '-c', '1', '-I', 'nosuch0', '127.0.0.1']);
  assert.equal(noInterface.code, 2);
  assert.match(noInterface.stderr, /there is no interface 'nosuch0'/);
  const noAddress = await run(['ping', '-c', '1', '-I', '192.0.2.250', '127.0.0.1']);
  assert.equal(noAddress.code, 45);
  assert.match(noAddress.stderr, /cannot send from 192\.0\.2\.250 \(this machine has no such address\)/);
});

test('a run that is stopped while names are looked up ends at once, as interrupted', async () => {
  const stopped = new AbortController();
  stopped.abort(new NettoolError('INTERRUPTED', 'interrupted'));
  const { code } = await run(['ping', 'nosuch.invalid'], { signal: stopped.signal });
  assert.equal(code, 130);
});

test('-q with several hosts prints the table and nothing else', { skip }, async () => {
  const { stdout } = await run(['ping', '-q', '-c', '1', '-i', '0.01', '127.0.0.0/30']);
  assert.match(stdout, /^host .*jitter\n127\.0\.0\.1 .*\n127\.0\.0\.2 .*\n$/);
});
