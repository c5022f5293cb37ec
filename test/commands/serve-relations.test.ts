import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noSystemPython, SYSTEM_PYTHON } from '../helpers/python.js';
import { run, start } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const PROXY = 'http://127.0.0.1:9';

test('a flag that would do nothing is refused, and the hint says what it belongs to', async (t) => {
  const cwd = tempDir(t, { 'app.mjs': 'export default { fetch: () => new Response() };', 'page.html': '' });
  for (const [argv, message] of [
    [['app.mjs', '--wsgi'], '--wsgi is for Python applications'],
    [['app.mjs', '--asgi'], '--asgi is for Python applications'],
    [['.', '--python', '/usr/bin/python3'], '--python is for Python applications'],
    [['app.mjs', '--threads', '2'], '--threads is for WSGI applications\nhint: --workers'],
    [['app:app', '--asgi', '--threads', '2'], '--threads is for WSGI applications\nhint: --workers'],
    [['.', '--reload'], '--reload is for applications in Python or JavaScript'],
    [
      ['.', '--request-timeout', '1s'],
      '--request-timeout is for applications, scripts and upstreams\nhint: ',
    ],
    [['.', '--fastcgi-root', '/srv'], '--fastcgi-root is for FastCGI scripts\nhint: add --fastcgi /=ADDRESS'],
    [['.', '--cgi-max', '3'], '--cgi-max is for CGI scripts\nhint: add --cgi'],
    [['.', '--upstream-host'], '--upstream-host is for upstreams\nhint: add --proxy /=URL'],
    [['.', '--upstream-retries', '0'], '--upstream-retries is for upstreams'],
    [[PROXY, '--hash-key', 'path'], '--hash-key is for --balance hash'],
    [[PROXY, '--health-interval', '1s'], '--health-interval is for --health-check\nhint: add --health-check'],
    [[PROXY, '--spa'], '--spa is for folders\nhint: add --static'],
    [[PROXY, '--no-listing'], '--no-listing is for folders'],
    [[PROXY, '--static', '/x=.', '--upload'], '--upload is for a folder that is the target'],
    [['.', '--mkdir'], '--mkdir is about uploads\nhint: add --upload'],
    [['.', '--redirect-http', '0'], '--redirect-http is for HTTPS\nhint: add --tls'],
    [['.', '--auth-writes'], '--auth-writes needs a user\nhint: add --auth'],
    [['.', '--socket-mode', '660'], '--socket-mode is for a Unix socket\nhint: add --host'],
  ] as const) {
    const { code, stderr } = await run(['serve', argv[0], '0', ...argv.slice(1)], { cwd });
    assert.equal(code, 2, argv.join(' '));
    assert.ok(stderr.includes(message), `${argv.join(' ')}: ${stderr}`);
  }
});

test('the same flags are taken where somebody has a use for them', async (t) => {
  const cwd = tempDir(t, { 'app.mjs': 'export default { fetch: () => new Response() };', 'page.html': '' });
  const upstream = ['--health-check', '/', '--health-interval', '1s', '--upstream-connect-timeout', '1s'];
  for (const argv of [
    ['app.mjs', '--static', '/files=.', '--no-listing', '--cache', '60', '--request-timeout', '1s'],
    [PROXY, ...upstream, '--upstream-retries', '0', '--balance', 'least-connections'],
    ['.', '--fastcgi', '/x=127.0.0.1:9', '--fastcgi-ext', '.pl', '--zip', '--env', 'A=b'],
    ['page.html', '--watch'],
  ] as const) {
    const command = start(['serve', argv[0], '0', ...argv.slice(1)], { cwd });
    await command.event('listening');
    assert.equal((await command.stop()).code, 0, argv.join(' '));
  }
});

test('--threads for what turns out to be ASGI is told, and does no harm', {
  skip: noSystemPython,
}, async (t) => {
  const app = 'async def app(scope, receive, send):\n  pass\n';
  const cwd = tempDir(t, { 'app.py': app });
  const command = start(['serve', 'app.py', '0', '--threads', '2', '--python', SYSTEM_PYTHON], { cwd });
  await command.event('listening');
  assert.match((await command.stop()).stderr, /^--threads is for WSGI applications, and has no effect/m);
});
