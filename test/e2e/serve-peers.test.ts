import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify, stripVTControlCharacters } from 'node:util';
import { findProgram, freePort, needs, startProgram, waitForPort } from '../helpers/programs.js';
import { spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

const run = promisify(execFile);

/** What a program prints on both streams, whatever it exits with. */
async function output(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(findProgram(program) ?? program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (text += String(bytes)));
  await once(child, 'close');
  return stripVTControlCharacters(text);
}

/** `serve` as a process of its own: its port, and everything it says. */
async function serving(t: TestContext, args: readonly string[], cwd: string) {
  const server = spawnNettool(t, ['serve', ...args, '--json'], { cwd, env: { HOME: cwd } });
  const [, port] = await server.find('stdout', /"type":"listening".*"port":(\d+)/);
  return { server, port: Number(port) };
}

test(
  'curl and h2load speak HTTP/2 with it over TLS, nghttp in clear text is answered in HTTP/1.1',
  needs('curl', 'h2load'),
  async (t) => {
    const cwd = tempDir(t, { 'a.txt': 'by two' });
    const { port } = await serving(t, ['.', '0', '--tls'], cwd);
    const url = `https://127.0.0.1:${port}/a.txt`;
    const { stdout } = await run('curl', ['-sk', '--http2', '-w', ' %{http_version}', url]);
    assert.equal(stdout, 'by two 2');
    const load = await output('h2load', ['-n', '2000', '-c', '4', '-m', '10', url]);
    assert.match(load, /2000 succeeded, 0 failed, 0 errored/);
  },
);

test('a local authority that curl is told of is trusted without --insecure', needs('curl'), async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'trusted' });
  const { port } = await serving(t, ['.', '0', '--tls'], cwd);
  const ca = join(cwd, '.local/share/nettool/ca.crt');
  const { stdout } = await run('curl', ['-s', '--cacert', ca, `https://localhost:${port}/a.txt`]);
  assert.equal(stdout, 'trusted');
});

test(
  'sslscan finds TLS 1.2 and 1.3, with forward secrecy and authenticated encryption, and nothing else',
  needs('sslscan'),
  async (t) => {
    const { port } = await serving(t, ['.', '0', '--tls'], tempDir(t));
    const text = await output('sslscan', ['--no-colour', `127.0.0.1:${port}`]);
    for (const old of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1'])
      assert.match(text, new RegExp(`${old}\\s+disabled`));
    for (const good of ['TLSv1.2', 'TLSv1.3']) assert.match(text, new RegExp(`${good}\\s+enabled`));
    const offered = [...text.matchAll(/^(?:Preferred|Accepted)\s+(TLSv1\.\d)\s+\d+ bits\s+(\S+)/gm)];
    assert.ok(offered.length >= 6);
    for (const [, version, cipher] of offered) {
      if (version === 'TLSv1.2') assert.match(String(cipher), /^ECDHE-.*(GCM|POLY1305)/);
    }
    assert.match(text, /Session renegotiation not supported/);
    assert.doesNotMatch(text, /vulnerable to heartbleed(?<!not vulnerable to heartbleed)/);
  },
);

test('haproxy says with PROXY v1 and v2 who the client is', needs('haproxy', 'curl'), async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'behind' });
  for (const word of ['send-proxy', 'send-proxy-v2']) {
    const { server, port } = await serving(
      t,
      ['.', '0', '--proxy-protocol', '--trust-proxy', '127.0.0.1'],
      cwd,
    );
    const front = await freePort();
    const config = join(cwd, `${word}.cfg`);
    writeFileSync(
      config,
      `defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n timeout server 5s\nlisten in\n bind 127.0.0.1:${front}\n server s 127.0.0.1:${port} ${word}\n`,
    );
    startProgram(t, 'haproxy', ['-db', '-f', config]);
    await waitForPort(front);
    const { stdout } = await run('curl', [
      '-s',
      '--interface',
      '127.0.0.7',
      `http://127.0.0.1:${front}/a.txt`,
    ]);
    assert.equal(stdout, 'behind', word);
    await server.find('stdout', /"target":"\/a\.txt".*"remoteAddress":"127\.0\.0\.7"/);
  }
});

test('a connection without the PROXY header it has to begin with is refused', needs('curl'), async (t) => {
  const { port } = await serving(t, ['.', '0', '--proxy-protocol'], tempDir(t, { 'a.txt': 'a' }));
  await assert.rejects(run('curl', ['-sf', `http://127.0.0.1:${port}/a.txt`]));
});

test('systemd hands over its socket', needs('systemd-socket-activate', 'curl'), async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'handed over' });
  const port = await freePort();
  const command = process.env.NETTOOL_BIN
    ? [process.env.NETTOOL_BIN]
    : [
        process.execPath,
        '--import',
        import.meta.resolve('tsx'),
        join(import.meta.dirname, '../../bin/nettool.ts'),
      ];
  const child = spawn('systemd-socket-activate', ['-l', `127.0.0.1:${port}`, ...command, 'serve', cwd], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  t.after(() => child.kill('SIGKILL'));
  await waitForPort(port);
  const { stdout } = await run('curl', [
    '-s',
    '--retry',
    '5',
    '--retry-connrefused',
    `http://127.0.0.1:${port}/a.txt`,
  ]);
  assert.equal(stdout, 'handed over');
  assert.doesNotMatch(said, /in use/, 'no port was asked for');
});

test('goaccess reads the combined log', needs('goaccess', 'curl'), async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'a' });
  const { server, port } = await serving(t, ['.', '0', '--log', 'combined', '--log-file', 'access.log'], cwd);
  for (const path of ['/a.txt', '/none', '/%1b%5b31m', '/a.txt?q="x"']) {
    await run('curl', [
      '-s',
      '-A',
      'a "quoted" agent\\',
      `http://127.0.0.1:${port}${encodeURI(path).replace(/%25/g, '%')}`,
    ]);
  }
  server.child.kill('SIGTERM');
  await server.done;
  const log = join(cwd, 'access.log');
  assert.equal(readFileSync(log, 'utf8').trim().split('\n').length, 4);
  const report = join(cwd, 'report.json');
  await run('goaccess', [log, '--log-format=COMBINED', '-o', report, '--no-global-config']);
  const { general } = JSON.parse(readFileSync(report, 'utf8'));
  assert.deepEqual([general.valid_requests, general.failed_requests], [4, 0]);
});

test('slow clients by the hundred take nothing from the others', needs('slowhttptest', 'curl'), async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'still here' });
  const { port } = await serving(t, ['.', '0', '--header-timeout', '1s', '--body-timeout', '1s'], cwd);
  const url = `http://127.0.0.1:${port}/a.txt`;
  for (const kind of ['-H', '-B']) {
    const attack = output('slowhttptest', [
      kind,
      '-c',
      '200',
      '-i',
      '2',
      '-r',
      '200',
      '-l',
      '4',
      '-u',
      url,
      '-p',
      '3',
    ]);
    for (let count = 0; count < 10; count += 1) {
      const { stdout } = await run('curl', ['-s', '--max-time', '2', url]);
      assert.equal(stdout, 'still here');
    }
    assert.match(await attack, /service available:\s+.*YES/);
  }
});

test('an upstream and its files behind one address, asked by curl', needs('curl'), async (t) => {
  const upstream = createServer((request, response) => response.end(`api ${request.url}`)).listen(
    0,
    '127.0.0.1',
  );
  await once(upstream, 'listening');
  t.after(() => upstream.close());
  const { port: up } = upstream.address() as { port: number };
  const { port } = await serving(
    t,
    ['.', '0', '--proxy', `/api=http://127.0.0.1:${up}`],
    tempDir(t, { 'a.txt': 'file' }),
  );
  const ask = async (path: string): Promise<string> =>
    (await run('curl', ['-s', `http://127.0.0.1:${port}${path}`])).stdout;
  assert.deepEqual([await ask('/a.txt'), await ask('/api/x?q=1')], ['file', 'api /api/x?q=1']);
});
