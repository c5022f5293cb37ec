import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { ask, parseAnswer } from '../helpers/raw-http.js';
import { run, start } from '../helpers/run.js';
import { spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

/** A `serve` that listens; ended with the test. */
async function serving(t: TestContext, argv: readonly string[], cwd: string) {
  const command = start(['serve', ...argv], { cwd });
  t.after(() => command.stop());
  const listening = await command.event('listening');
  return { command, listening, port: listening.port as number };
}

async function upstream(t: TestContext, name: string): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('X-Host', request.headers.host ?? '');
    response.setHeader('X-For', request.headers['x-forwarded-for'] ?? '');
    response.end(`${name} ${request.url}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('folders, files and upstreams are mounted beside each other, the longest prefix wins', async (t) => {
  const cwd = tempDir(t, { 'site/index.html': 'site', 'docs/a.txt': 'docs', 'docs/sub/b.txt': 'below' });
  const api = await upstream(t, 'api');
  const v2 = await upstream(t, 'v2');
  const mounts = ['--static', '/docs=docs', '--proxy', `/api=${api}`, '--proxy', `/api/v2=${v2}/new`];
  const { port } = await serving(t, ['site', '0', ...mounts], cwd);
  const table = {
    '/': 'site',
    '/docs/a.txt': 'docs',
    '/docs/sub/b.txt': 'below',
    '/api/x?q=1': 'api /api/x?q=1',
    '/api/v2/x': 'v2 /new/x',
  };
  for (const [target, expected] of Object.entries(table)) {
    assert.equal((await ask(port, target)).text, expected, target);
  }
  assert.equal((await ask(port, '/apix')).status, 404);
  assert.equal((await ask(port, '/docs')).header('location'), '/docs/');
  assert.equal((await ask(port, '/docs/sub')).header('location'), '/docs/sub/');
});

test('a URL as the target is a reverse proxy that tells who asks', async (t) => {
  const { port } = await serving(t, [await upstream(t, 'up'), '0'], tempDir(t));
  const answer = await ask(port, '/x', { headers: { 'X-Forwarded-For': '6.6.6.6' } });
  assert.deepEqual(
    [answer.text, answer.header('x-for'), answer.header('x-host')],
    ['up /x', '127.0.0.1', 'test'],
  );
});

test('upstreams get their own name when asked to, and a trusted peer is believed', async (t) => {
  const url = await upstream(t, 'up');
  const { port } = await serving(
    t,
    [url, '0', '--upstream-host', '--trust-proxy', '127.0.0.0/8'],
    tempDir(t),
  );
  const answer = await ask(port, '/x', { headers: { 'X-Forwarded-For': '6.6.6.6' } });
  assert.equal(answer.header('x-host'), new URL(url).host);
  assert.equal(answer.header('x-for'), '6.6.6.6, 127.0.0.1');
});

test('requests stay with an upstream by the field they are asked to be told apart by', async (t) => {
  const urls = await Promise.all(['a', 'b', 'c'].map((name) => upstream(t, name)));
  const flags = ['--balance', 'hash', '--hash-key', 'cookie:id'];
  const { port } = await serving(t, [urls.join(','), '0', ...flags], tempDir(t));
  const seen = new Set<string>();
  for (let id = 0; id < 20; id += 1) {
    const texts = await Promise.all(
      ['/x', '/y'].map(
        async (path) => (await ask(port, path, { headers: { Cookie: `n=1; id=${id}` } })).text,
      ),
    );
    assert.equal(texts[0]?.[0], texts[1]?.[0]);
    seen.add(texts[0]?.[0] ?? '');
  }
  assert.deepEqual([...seen].sort(), ['a', 'b', 'c']);
  for (const wrong of [
    ['--hash-key', 'path'],
    ['--balance', 'hash', '--hash-key', 'cookie:'],
  ]) {
    assert.equal((await run(['serve', urls[0] as string, '0', ...wrong])).code, 2, wrong.join(' '));
  }
});

test('an upstream that is not there is 502, with the reason on stderr and not on the page', async (t) => {
  let said = '';
  const command = start(['serve', 'http://127.0.0.1:1', '0', '--log', 'dev'], {
    cwd: tempDir(t),
    onWrite: (stream, text) => {
      if (stream === 'stderr') said += text;
    },
  });
  t.after(() => command.stop());
  const { port } = await command.event('listening');
  const answer = await ask(port, '/');
  assert.equal(answer.status, 502);
  assert.doesNotMatch(answer.text, /refused/);
  const event = await command.event('application-error');
  assert.match(event.message, /refused/);
  await command.stop();
  assert.match(said, / 502 /);
});

test('a JavaScript module is an application, and with --static a file', async (t) => {
  const cwd = tempDir(t, {
    'app.mjs': 'export default { fetch: (request) => new Response("js " + new URL(request.url).pathname) };',
  });
  const app = await serving(t, ['app.mjs', '0'], cwd);
  assert.equal((await ask(app.port, '/x')).text, 'js /x');
  const file = await serving(t, ['--static', 'app.mjs', '0'], cwd);
  assert.match((await ask(file.port, '/app.mjs')).text, /^export default/);
});

test('what was found in a JavaScript module is said, also in a folder with its package.json', async (t) => {
  const cwd = tempDir(t, {
    'package.json': '{"main":"lib/entry.mjs"}',
    'lib/entry.mjs': 'export default function createApp() { return (req, res) => res.end("made"); }',
  });
  const command = start(['serve', '.', '0', '--app', '/api=.'], { cwd });
  t.after(() => command.stop());
  const { kind, target, equivalent } = await command.event('application');
  assert.deepEqual([kind, target], ['node', 'lib/entry.mjs']);
  assert.equal(equivalent, '--app /api=lib/entry.mjs --factory');
  const { port } = await command.event('listening');
  assert.equal((await ask(port, '/api/x')).text, 'made');
});

test('a Python application answers, and what it prints goes to stderr', async (t) => {
  const cwd = tempDir(t, {
    'app.py':
      'def app(environ, start_response):\n    print("hello log")\n    start_response("200 OK", [])\n    return [environ["SCRIPT_NAME"].encode() + b"|" + environ["PATH_INFO"].encode()]\n',
    'index.html': 'site',
  });
  let said = '';
  const command = start(['serve', '.', '0', '--app', '/api=app:app', '--python', '/usr/bin/python3'], {
    cwd,
    onWrite: (stream, text) => {
      if (stream === 'stderr') said += text;
    },
  });
  t.after(() => command.stop());
  const application = await command.event('application');
  assert.deepEqual([application.kind, application.target], ['wsgi', 'app:app']);
  assert.match(String(application.equivalent), /^--app \/api=app:app --wsgi --python /);
  const { port } = await command.event('listening');
  assert.equal((await ask(port, '/api/x')).text, '/api|/x');
  assert.equal((await ask(port, '/')).text, 'site');
  assert.match(said, /hello log/);
});

test('an application that fails is told of once on stderr, and never on the page without --debug', async (t) => {
  const cwd = tempDir(t, { 'app.py': 'def app(environ, start_response):\n    raise ValueError("secret")\n' });
  for (const flags of [[], ['--debug']]) {
    const command = ['serve', 'app:app', '0', '--python', '/usr/bin/python3', ...flags];
    const server = spawnNettool(t, command, { cwd });
    const [, port] = await server.find('stderr', /http:\/\/127\.0\.0\.1:(\d+)/);
    const answer = await ask(Number(port), '/x');
    assert.equal(answer.status, 500);
    assert.equal(/Traceback[\s\S]*secret/.test(answer.text), flags.length > 0);
    server.child.kill('SIGTERM');
    const { stderr } = await server.done;
    assert.equal(stderr.match(/^GET \/x failed: ValueError: secret$/gm)?.length, 1, stderr);
    assert.match(stderr, /app\.py", line 2, in app/);
  }
});

test('an application that cannot start ends the start with its reason', async (t) => {
  const cwd = tempDir(t, { 'broken.py': 'import no_such_module_at_all\n' });
  const result = await start(['serve', 'broken.py', '0', '--python', '/usr/bin/python3'], { cwd }).done;
  assert.equal(result.code, 1);
  assert.equal(result.stderr.match(/does not start: ModuleNotFoundError/g)?.length, 1, 'said once');
});

test('CGI scripts of a folder are run', async (t) => {
  const cwd = tempDir(t, {
    'scripts/hi.sh': '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\nhi $PATH_INFO"\n',
    'index.html': 'site',
  });
  execFileSync('chmod', ['+x', join(cwd, 'scripts/hi.sh')]);
  const { port } = await serving(t, ['.', '0', '--cgi', '/cgi=scripts'], cwd);
  assert.equal((await ask(port, '/cgi/hi.sh/there')).text, 'hi /there');
});

test('users, fields, origins, health and rates are put around the site', async (t) => {
  const cwd = tempDir(t, { 'index.html': 'site' });
  const flags = [
    '--auth',
    'ann:secret',
    '--header',
    'X-Own: 1',
    '--cors',
    '--health',
    '/alive',
    '--rate-limit',
    '3/m',
  ];
  const { port } = await serving(t, ['.', '0', ...flags], cwd);
  const denied = await ask(port, '/');
  assert.deepEqual(
    [denied.status, denied.header('x-own'), denied.header('access-control-allow-origin')],
    [401, '1', '*'],
  );
  const headers = { Authorization: `Basic ${btoa('ann:secret')}` };
  assert.equal((await ask(port, '/', { headers })).text, 'site');
  assert.equal((await ask(port, '/', { headers })).status, 200);
  assert.equal((await ask(port, '/', { headers })).status, 429);
  assert.deepEqual([(await ask(port, '/alive')).status, (await ask(port, '/alive')).text], [200, 'ok\n']);
});

test('reading may be free and writing not', async (t) => {
  const { port } = await serving(
    t,
    ['.', '0', '--upload', '--auth', 'ann:secret', '--auth-writes'],
    tempDir(t, { 'a.txt': 'a' }),
  );
  assert.equal((await ask(port, '/a.txt')).status, 200);
  assert.equal((await ask(port, '/b.txt', { method: 'PUT', body: 'b' })).status, 401);
  const headers = { Authorization: `Basic ${btoa('ann:secret')}` };
  assert.equal((await ask(port, '/b.txt', { method: 'PUT', body: 'b', headers })).status, 201);
});

test('the limits are those of the flags', async (t) => {
  const { port } = await serving(
    t,
    ['.', '0', '--max-header-size', '1k', '--keep-alive', '100ms'],
    tempDir(t),
  );
  assert.equal((await ask(port, '/', { headers: { 'X-Long': 'x'.repeat(2000) } })).status, 431);
  const idle = connect(port, '127.0.0.1');
  idle.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  idle.resume();
  await once(idle, 'end');
});

test('a Unix socket is served, and a stale one replaced', async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'by socket' });
  const path = join(cwd, 'server.sock');
  for (let round = 0; round < 2; round += 1) {
    const flags = ['--host', './server.sock', '--socket-mode', '620'];
    const command = start(['serve', '.', '0', ...flags], { cwd });
    const listening = await command.event('listening');
    assert.deepEqual([listening.url, listening.path], [`unix:${path}`, path]);
    assert.equal(statSync(path).mode & 0o777, 0o620);
    const socket = connect(path);
    socket.write('GET /a.txt HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    assert.equal(parseAnswer(Buffer.concat(chunks)).text, 'by socket');
    const live = await start(['serve', '.', '0', '--host', './server.sock'], { cwd }).done;
    assert.equal(live.code, 45);
    await command.stop();
  }
});

test('--tls makes a certificate and says its fingerprint; plain HTTP is sent to HTTPS', async (t) => {
  let said = '';
  const command = start(['serve', '.', '0', '--tls', '--redirect-http', '0', '--hsts'], {
    cwd: tempDir(t, { 'a.txt': 'secret' }),
    onWrite: (stream, text) => {
      if (stream === 'stderr') said += text;
    },
  });
  t.after(() => command.stop());
  const { port, url } = await command.event('listening');
  assert.match(url, /^https:/);
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  await once(socket, 'secureConnect');
  assert.ok(said.includes(socket.getPeerCertificate().fingerprint256), said);
  socket.write('GET /a.txt HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  const answer = parseAnswer(Buffer.concat(chunks));
  assert.deepEqual([answer.text, answer.header('strict-transport-security')], ['secret', 'max-age=31536000']);
  const plain = await ask(port, '/a.txt?q=1', { headers: { Host: `localhost:${port}` } });
  assert.equal(plain.header('location'), `https://localhost:${port}/a.txt?q=1`);
});

test('requests are logged to a file, and counted for Prometheus', async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'a' });
  const { command, port } = await serving(
    t,
    ['.', '0', '--log-file', 'access.log', '--metrics', '/metrics'],
    cwd,
  );
  await ask(port, '/a.txt', { headers: { 'User-Agent': 'x"y' } });
  await ask(port, '/none');
  const metrics = await ask(port, '/metrics');
  assert.match(metrics.text, /^nettool_http_requests_total\{method="GET",status="200"\} 1$/m);
  assert.match(metrics.text, /^nettool_http_requests_total\{method="GET",status="404"\} 1$/m);
  await command.stop();
  const lines = readFileSync(join(cwd, 'access.log'), 'utf8').trim().split('\n');
  assert.equal(lines.length, 3);
  assert.match(lines[0] as string, /^127\.0\.0\.1 - - \[.*\] "GET \/a\.txt HTTP\/1\.1" 200 1 "-" "x\\"y"$/);
});

test('a log file that cannot be opened is 23 before anything is served', async (t) => {
  const result = await start(['serve', '.', '0', '--log-file', 'no/such/access.log'], { cwd: tempDir(t) })
    .done;
  assert.equal(result.code, 23);
});

test('--auth takes the users of an htpasswd file beside those it names', async (t) => {
  const cwd = tempDir(t, {
    'a.txt': 'text',
    users: 'ann:$2y$05$qfRThLnIoq4m4.sv1tjdTuV5.FQiFP9FGEaYAgBnWRd.S5vMPmtsu\n',
    broken: 'ann:secret\n',
  });
  const hash = 'eve:$apr1$hVM5zDG3$YAuaNnbX4Qc7q57eG.snT0';
  const command = start(['serve', '.', '0', '--auth', '@users', '--auth', 'bob:other', '--auth', hash], {
    cwd,
  });
  t.after(() => command.stop());
  const { port } = await command.event('listening');
  const statusFor = async (user: string): Promise<number> =>
    (await ask(port, '/a.txt', { headers: { Authorization: `Basic ${btoa(user)}` } })).status;
  for (const user of ['ann:secret', 'ann:secret', 'bob:other', 'eve:secret']) {
    assert.equal(await statusFor(user), 200, user);
  }
  for (const user of ['ann:other', 'bob:secret', 'dan:secret', 'eve:other']) {
    assert.equal(await statusFor(user), 401, user);
  }
  assert.equal((await ask(port, '/a.txt')).status, 401);
  for (const [file, message] of [
    ['@broken', /broken \(line 1 is no user with a known hash\)\nhint: htpasswd -B/],
    ['@nowhere', /cannot take users from .*nowhere/],
  ] as const) {
    const { code, stderr } = await run(['serve', '.', '0', '--auth', file], { cwd });
    assert.equal(code, 26);
    assert.match(stderr, message);
  }
});

test('live reload and workers exclude each other', async (t) => {
  const result = await start(['serve', '.', '0', '--watch', '--workers', '2'], { cwd: tempDir(t) }).done;
  assert.equal(result.code, 2);
});

test('a certificate that changes is used by connections to come, without a restart', async (t) => {
  const { createSelfSigned } = await import('../../src/core/net/self-signed.js');
  const [first, second] = await Promise.all([
    createSelfSigned(['first.test']),
    createSelfSigned(['second.test']),
  ]);
  const cwd = tempDir(t, { 'pair.pem': `${first.cert}${first.key}`, 'a.txt': 'a' });
  const { port } = await serving(t, ['.', '0', '--cert', 'pair.pem'], cwd);
  const fingerprint = async (): Promise<string> => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  assert.equal(await fingerprint(), first.fingerprint);
  writeFileSync(join(cwd, 'pair.pem'), `${second.cert}${second.key}`);
  while ((await fingerprint()) !== second.fingerprint)
    await new Promise((resolve) => setTimeout(resolve, 50));
});

test('metrics tell of upstreams and applications, and each request has its id', async (t) => {
  const app =
    'def app(environ, start_response):\n    start_response("200 OK", [])\n    return [environ["HTTP_X_REQUEST_ID"].encode()]\n';
  const cwd = tempDir(t, { 'app.py': app });
  const flags = ['--proxy', '/down=http://127.0.0.1:1', '--metrics', '/metrics', '--request-id'];
  const { port } = await serving(t, ['app:app', '0', '--python', '/usr/bin/python3', ...flags], cwd);
  const answer = await ask(port, '/', { headers: { 'X-Request-Id': 'made-up' } });
  assert.match(answer.text, /^[0-9a-f-]{36}$/);
  assert.equal(answer.header('x-request-id'), answer.text);
  assert.equal((await ask(port, '/down')).status, 502);
  const { text } = await ask(port, '/metrics');
  assert.match(text, /^nettool_upstream_up\{url="http:\/\/127\.0\.0\.1:1"\} [01]$/m);
  assert.match(text, /^nettool_application_duration_seconds_count\{handler="python",prefix="\/"\} 1$/m);
  assert.match(text, /^nettool_application_workers\{prefix="\/"\} 1$/m);
  assert.match(text, /^nettool_application_errors_total\{handler="proxy",status="502"\} 1$/m);
  assert.match(text, /^nettool_worker_changes_total\{state="ready"\} 1$/m);
});
