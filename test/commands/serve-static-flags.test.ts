import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NettoolError } from '../../src/core/errors.js';
import { ask, type RawAnswer } from '../helpers/raw-http.js';
import { run, start } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const BROWSER = { Accept: 'text/html' };

/** Serves a site under some flags; asks it. */
async function serving(t: TestContext, ...flags: string[]) {
  const cwd = tempDir(t, {
    'index.html': 'home',
    'about.html': 'about',
    'lost.html': 'lost',
    'sub/start.htm': 'start',
    'sub/second.htm': 'second',
    'app.3f2a9c1b.js': 'app',
  });
  const command = start(['serve', '.', '0', ...flags], { cwd });
  t.after(() => command.stop(new NettoolError('INTERRUPTED', 'interrupted')));
  const { port } = await command.event('listening');
  return (path: string, headers: Record<string, string> = {}): Promise<RawAnswer> =>
    ask(port, path, { headers });
}

test('--spa answers unknown pages with index.html, and missing assets with 404', async (t) => {
  const get = await serving(t, '--spa');
  assert.equal((await get('/users/7', BROWSER)).text, 'home');
  assert.equal((await get('/gone.js', BROWSER)).status, 404);
});

test('--clean-urls serves pages without their extension', async (t) => {
  const get = await serving(t, '--clean-urls');
  assert.equal((await get('/about')).text, 'about');
  assert.equal((await get('/about.html?q=1')).header('location'), '/about?q=1');
});

test('--404 names the page for what is missing', async (t) => {
  const get = await serving(t, '--404', 'lost.html');
  const answer = await get('/none');
  assert.equal(answer.status, 404);
  assert.equal(answer.text, 'lost');
});

test('--index names the files that answer for their folder, in order', async (t) => {
  const get = await serving(t, '--index', 'second.htm', '--index', 'start.htm', '--no-listing');
  assert.equal((await get('/sub/')).text, 'second');
  assert.equal((await get('/')).status, 404);
});

test('--cache says how long files are kept: by seconds, a duration or a word', async (t) => {
  const policy = async (...flags: string[]) =>
    (await (await serving(t, ...flags))('/app.3f2a9c1b.js')).header('cache-control');
  assert.equal(await policy(), 'max-age=31536000, immutable');
  assert.equal(await policy('--cache', '31536000'), 'max-age=31536000');
  assert.equal(await policy('--cache=10m'), 'max-age=600');
  assert.equal(await policy('--cache', 'no-cache'), 'no-cache');
  assert.equal(await policy('--cache', 'no-store'), 'no-store');
});

test('flags that make no sense are usage errors that say which', async () => {
  for (const flags of [
    ['--cache', 'never'],
    ['--cache', '-1'],
    ['--index', 'a/b'],
    ['--index', '..'],
    ['--404', ''],
  ]) {
    const { code, stderr } = await run(['serve', '.', '0', ...flags]);
    assert.equal(code, 2, flags.join(' '));
    assert.ok(stderr.includes(flags[0] as string), stderr);
  }
});

test('a page for 404 that is not there cannot be read: 26', async (t) => {
  const cwd = tempDir(t, { 'index.html': '' });
  for (const file of ['none.html', join(cwd, 'none.html')]) {
    const { code, stderr } = await run(['serve', '.', '0', '--404', file], { cwd });
    assert.equal(code, 26);
    assert.ok(stderr.includes(file), stderr);
  }
});
