import assert from 'node:assert/strict';
import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startPhpFpm } from '../helpers/php-fpm.js';
import { needs, startProgram, waitForPort } from '../helpers/programs.js';
import { noSystemPython, SYSTEM_PYTHON } from '../helpers/python.js';
import { ask } from '../helpers/raw-http.js';
import { run, start } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const ENV = '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"; env\n';

/** The port of a `serve` that ends with the test. */
async function serving(t: TestContext, cwd: string, argv: readonly string[]): Promise<number> {
  const command = start(['serve', ...argv], { cwd, env: { FROM_US: 'ours', KEPT: 'back' } });
  t.after(() => command.stop());
  return (await command.event('listening')).port as number;
}

test('CGI scripts get the variables they are given, and paths below the site', async (t) => {
  const cwd = tempDir(t, { 'site/index.html': '', 'scripts/env.sh': ENV });
  chmodSync(join(cwd, 'scripts/env.sh'), 0o755);
  const flags = ['--cgi', '/cgi=scripts', '--env', 'STAGE=a=b', '--env', 'FROM_US'];
  const port = await serving(t, cwd, ['site', '0', ...flags]);
  const lines = (await ask(port, '/cgi/env.sh/more')).text.split('\n');
  assert.ok(lines.includes('STAGE=a=b'));
  assert.ok(lines.includes('FROM_US=ours'));
  assert.ok(lines.includes(`PATH_TRANSLATED=${join(cwd, 'site')}/more`));
  assert.ok(!lines.some((line) => line.startsWith('KEPT=')));
});

const ANN = { Authorization: `Basic ${Buffer.from('ann:secret').toString('base64')}`, 'Remote-User': 'eve' };

test('a script learns who logged in, as do the logs', async (t) => {
  const cwd = tempDir(t, {
    'cgi/env.sh': ENV,
    'cgi/there.sh': '#!/bin/sh\nprintf "Location: /cgi/env.sh\\n\\n"\n',
  });
  for (const name of ['env.sh', 'there.sh']) chmodSync(join(cwd, 'cgi', name), 0o755);
  const command = start(['serve', '.', '0', '--cgi', '/cgi=cgi', '--auth', 'ann:secret'], { cwd });
  t.after(() => command.stop());
  const port = (await command.event('listening')).port as number;
  for (const path of ['/cgi/env.sh', '/cgi/there.sh']) {
    const lines = (await ask(port, path, { headers: ANN })).text.split('\n');
    assert.ok(lines.includes('REMOTE_USER=ann'), path);
    assert.ok(lines.includes('AUTH_TYPE=Basic'), path);
  }
  assert.equal((await command.event('request')).user, 'ann');
  const open = await serving(t, cwd, [
    '.',
    '0',
    '--cgi',
    '/cgi=cgi',
    '--auth',
    'ann:secret',
    '--auth-writes',
  ]);
  assert.doesNotMatch((await ask(open, '/cgi/env.sh', { headers: ANN })).text, /^(REMOTE_USER|AUTH_TYPE)=/m);
  const posted = await ask(open, '/cgi/env.sh', { method: 'POST', headers: ANN });
  assert.match(posted.text, /^REMOTE_USER=ann$/m);
});

test('a WSGI application learns who logged in', { skip: noSystemPython }, async (t) => {
  const app =
    'def app(e, s):\n  s("200 OK", [])\n  return [str([e.get("REMOTE_USER"), e.get("AUTH_TYPE")]).encode()]\n';
  const cwd = tempDir(t, { 'app.py': app });
  const python = ['--python', SYSTEM_PYTHON];
  const port = await serving(t, cwd, ['app.py', '0', '--auth', 'ann:secret', ...python]);
  assert.equal((await ask(port, '/', { headers: ANN })).text, "['ann', 'Basic']");
  const open = await serving(t, cwd, ['app.py', '0', ...python]);
  assert.equal((await ask(open, '/', { headers: ANN })).text, '[None, None]');
});

test('--cgi takes one script for all paths, and an index and links for a folder', async (t) => {
  const cwd = tempDir(t, { 'app.sh': ENV, 'scripts/start.sh': ENV });
  for (const name of ['app.sh', 'scripts/start.sh']) chmodSync(join(cwd, name), 0o755);
  symlinkSync('../app.sh', join(cwd, 'scripts/link.sh'));
  const flags = ['--cgi', '/one=app.sh', '--cgi', '/all=scripts', '--index', 'start.sh', '--follow-symlinks'];
  const port = await serving(t, cwd, ['http://127.0.0.1:1/', '0', ...flags]);
  const linesOf = async (path: string) => (await ask(port, path)).text.split('\n');
  const one = await linesOf('/one/a/b');
  assert.ok(one.includes('SCRIPT_NAME=/one'));
  assert.ok(one.includes('PATH_INFO=/a/b'));
  assert.ok(one.includes(`DOCUMENT_ROOT=${cwd}`));
  assert.ok((await linesOf('/all/')).includes('SCRIPT_NAME=/all/start.sh'));
  assert.ok((await linesOf('/all/link.sh')).includes('SCRIPT_NAME=/all/link.sh'));
});

test('--cgi-max says how many CGI scripts run at a time; the others wait', async (t) => {
  const cwd = tempDir(t, {
    // How many of its kind are there: each leaves a file while it runs.
    'scripts/count.sh':
      '#!/bin/sh\ntouch on.$$; sleep 0.02; set -- on.*; n=$#; rm on.$$\nprintf "Content-Type: text/plain\\n\\n$n"\n',
  });
  chmodSync(join(cwd, 'scripts/count.sh'), 0o755);
  const port = await serving(t, cwd, ['.', '0', '--cgi', '/cgi=scripts', '--cgi-max', '3']);
  const answers = await Promise.all(Array.from({ length: 200 }, () => ask(port, '/cgi/count.sh')));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.ok(answers.every(({ text }) => Number(text) <= 3));
});

test('a local redirect of a CGI script leads anywhere on the site, but to no script as a file', async (t) => {
  const redirect = (to: string): string => `#!/bin/sh\nprintf "Location: ${to}\\n\\n"\n`;
  const cwd = tempDir(t, {
    'thanks.html': 'thank you',
    'one/file.sh': redirect('/thanks.html'),
    'one/source.sh': redirect('/two/a.sh'),
    'two/a.sh': 'secret source',
  });
  for (const name of ['file.sh', 'source.sh']) chmodSync(join(cwd, 'one', name), 0o755);
  const port = await serving(t, cwd, ['.', '0', '--cgi', '/one=one', '--cgi', '/two=two']);
  assert.equal((await ask(port, '/one/file.sh')).text, 'thank you');
  assert.equal((await ask(port, '/one/source.sh')).status, 404);
});

test('fcgiwrap runs the scripts whose names end as told', needs('fcgiwrap'), async (t) => {
  const cwd = tempDir(t, {
    'site/env.pl': ENV,
    'site/sub/index.pl': ENV,
    'site/old.cgi': ENV,
    'site/a.txt': 'text',
  });
  for (const name of ['env.pl', 'sub/index.pl', 'old.cgi']) chmodSync(join(cwd, 'site', name), 0o755);
  const socket = join(cwd, 'wrap.sock');
  startProgram(t, 'fcgiwrap', ['-s', `unix:${socket}`]);
  await waitForPort(socket);
  const flags = ['--fastcgi', `/=unix:${socket}`, '--fastcgi-ext', '.pl,.cgi', '--env', 'STAGE=test'];
  const port = await serving(t, cwd, ['site', '0', ...flags]);
  assert.match((await ask(port, '/env.pl')).text, /^STAGE=test$/m);
  assert.match((await ask(port, '/old.cgi/info')).text, /^PATH_INFO=\/info$/m);
  assert.match((await ask(port, '/sub/')).text, /^SCRIPT_NAME=\/sub\/index\.pl$/m);
  assert.equal((await ask(port, '/a.txt')).text, 'text');
});

test(
  'php-fpm is told where it sees the scripts, and folders beside them are not listed',
  needs('php-fpm8.2'),
  async (t) => {
    const page = '<?php echo $_SERVER["SCRIPT_FILENAME"], " ", $_SERVER["DOCUMENT_ROOT"];';
    const cwd = tempDir(t, { 'here/index.php': '', 'here/uploads/a.txt': 'text', 'there/index.php': page });
    const socket = await startPhpFpm(t, cwd);
    const there = join(cwd, 'there');
    const flags = ['--fastcgi', `/=unix:${socket}`, '--fastcgi-root', there];
    const port = await serving(t, cwd, ['here', '0', ...flags]);
    assert.equal((await ask(port, '/pretty/url')).text, `${there}/index.php ${there}`);
    assert.equal((await ask(port, '/uploads/')).status, 404);
    assert.equal((await ask(port, '/uploads/a.txt')).text, 'text');
  },
);

test('Python applications get them, too; where nobody would, that is said', {
  skip: noSystemPython,
}, async (t) => {
  const app = 'import os\ndef app(e, s):\n  s("200 OK", [])\n  return [os.environ["STAGE"].encode()]\n';
  const cwd = tempDir(t, { 'app.py': app });
  const port = await serving(t, cwd, ['app.py', '0', '--env', 'STAGE=a=b', '--python', SYSTEM_PYTHON]);
  assert.equal((await ask(port, '/')).text, 'a=b');
  const { code, stderr } = await run(['serve', '.', '0', '--env', 'A=b'], { cwd });
  assert.equal(code, 2);
  assert.match(stderr, /--env is for Python applications.*\nhint: set it before the command/);
});

test('what is no variable and no extension is refused', async (t) => {
  const cwd = tempDir(t, { 'scripts/a.sh': '' });
  for (const [flags, message] of [
    [['--env', '1A=b'], /'1A=b' is not NAME/],
    [['--env', 'NOT_SET_ANYWHERE'], /--env NOT_SET_ANYWHERE: it is not set here/],
    [['--fastcgi-ext', 'php'], /'php' is not a list like \.php,\.cgi/],
  ] as const) {
    const { code, stderr } = await run(['serve', '.', '0', '--cgi', '/cgi=scripts', ...flags], { cwd });
    assert.equal(code, 2);
    assert.match(stderr, message);
  }
});
