import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ask } from '../helpers/raw-http.js';
import { run, start } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const SOURCE = '<?php $password = "secret";';
/** Nobody listens there: what gets an answer was not passed on. */
const NOBODY = '/blog=127.0.0.1:9';

async function serving(t: TestContext, cwd: string, argv: readonly string[]): Promise<number> {
  const command = start(['serve', 'site', '0', ...argv], { cwd });
  t.after(() => command.stop());
  return (await command.event('listening')).port as number;
}

function folder(t: TestContext): string {
  const cwd = tempDir(t, {
    'site/blog/index.php': SOURCE,
    'site/config.php': SOURCE,
    'site/shop/Index.PHP': SOURCE,
    'site/shop/a.txt': 'text',
    'site/old.php.txt': 'text',
    'site/scripts/a.sh': 'secret',
    'other/b.php': SOURCE,
  });
  symlinkSync('config.php', join(cwd, 'site/link.txt'));
  symlinkSync('scripts/a.sh', join(cwd, 'site/script.txt'));
  return cwd;
}

test('beside --fastcgi no script is sent as a file, wherever it lies and whatever it is called there', async (t) => {
  const flags = ['--fastcgi', NOBODY, '--static', '/other=other', '--hidden', '--index', 'Index.PHP'];
  const port = await serving(t, folder(t), flags);
  for (const path of [
    '/config.php',
    '/%63onfig.php',
    '/shop/Index.PHP',
    '/shop/',
    '/link.txt',
    '/other/b.php',
  ]) {
    assert.equal((await ask(port, path)).status, path === '/shop/' ? 200 : 404, path);
    assert.ok(!(await ask(port, path)).text.includes('secret'), path);
  }
  assert.equal((await ask(port, '/shop/a.txt')).text, 'text');
  assert.equal((await ask(port, '/old.php.txt')).text, 'text');
});

test('beside --cgi nothing in its folder is sent as a file', async (t) => {
  const port = await serving(t, folder(t), ['--cgi', '/cgi-bin=site/scripts']);
  for (const path of ['/scripts/a.sh', '/scripts/', '/scripts', '/script.txt']) {
    assert.equal((await ask(port, path)).status, 404, path);
  }
  assert.equal((await ask(port, '/config.php')).text, SOURCE);
});

test('beside --cgi with one script that is not sent, and what lies with it is', async (t) => {
  const cwd = folder(t);
  const flags = ['--cgi', '/app=site/scripts/a.sh', '--static', '/beside=site/shop'];
  const port = await serving(t, cwd, flags);
  for (const path of ['/scripts/a.sh', '/script.txt'])
    assert.equal((await ask(port, path)).status, 404, path);
  assert.equal((await ask(port, '/beside/a.txt')).text, 'text');
  const { code, stderr } = await run(
    ['serve', 'site', '0', '--cgi', '/app=site', '--static', '/s=site/shop'],
    {
      cwd,
    },
  );
  assert.equal(code, 2);
  assert.match(
    stderr,
    /--static \/s=site\/shop: it is in the folder of --cgi \/app.*\nhint: name the script alone/,
  );
});

test('listings and ZIP files do not show scripts either', async (t) => {
  const port = await serving(t, folder(t), ['--fastcgi', NOBODY, '--cgi', '/cgi-bin=site/scripts', '--zip']);
  const { text } = await ask(port, '/', { headers: { Accept: 'application/json' } });
  const names = JSON.parse(text).entries.map(({ name }: { name: string }) => name);
  assert.deepEqual(names, ['blog', 'shop', 'link.txt', 'old.php.txt', 'script.txt']);
  const zip = (await ask(port, '/?zip')).text;
  assert.ok(zip.includes('old.php.txt'));
  for (const name of ['config.php', 'Index.PHP', 'a.sh', 'link.txt']) assert.ok(!zip.includes(name), name);
});

test('an upload cannot become a script', async (t) => {
  const cwd = folder(t);
  const port = await serving(t, cwd, ['--fastcgi', NOBODY, '--upload', '--overwrite', '--delete']);
  const write = async (method: string, path: string) => (await ask(port, path, { method, body: 'x' })).status;
  assert.equal(await write('PUT', '/new.php'), 403);
  assert.equal(await write('PUT', '/config.PHP'), 403);
  assert.equal(await write('DELETE', '/config.php'), 403);
  assert.equal(await write('PUT', '/new.txt'), 201);
  assert.equal((await ask(port, '/new.php')).status, 404);
});

test('--static alone sends scripts as the files they are', async (t) => {
  const cwd = folder(t);
  const command = start(['serve', '--static', 'site', '0', '--fastcgi', NOBODY], { cwd });
  t.after(() => command.stop());
  const { port } = await command.event('listening');
  assert.equal((await ask(port, '/config.php')).text, SOURCE);
});

test('who serves the folder of a program as files is told so, and how to run it', async (t) => {
  const cwd = tempDir(t, { 'my site/manage.py': '', 'php/index.php': SOURCE, 'plain/index.html': '' });
  const noteOf = async (...argv: string[]): Promise<string> => {
    const command = start(['serve', ...argv], { cwd });
    await command.event('listening');
    const { stderr } = await command.stop();
    return /.* is sent as it is.*/.exec(stderr)?.[0] ?? '';
  };
  assert.match(await noteOf('my site', '0'), /^manage\.py is sent .*: nettool serve 'my site\/manage\.py'$/);
  assert.match(await noteOf('php', '0'), /^index\.php is sent .*: nettool serve php --fastcgi \/=unix:/);
  assert.equal(await noteOf('php', '0', '--fastcgi', '/=127.0.0.1:9'), '');
  assert.equal(await noteOf('php', '0', '-q'), '');
  assert.equal(await noteOf('plain', '0'), '');
  assert.equal(await noteOf('--static', 'php', '0'), '');
});
