import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NettoolError } from '../../src/core/errors.js';
import { isWindows } from '../../src/core/platform/os.js';
import { ask, open } from '../helpers/raw-http.js';
import { type FakeProcess, run, start } from '../helpers/run.js';
import { tempDir } from '../helpers/temp-dir.js';

const INTERRUPT = new NettoolError('INTERRUPTED', 'interrupted');

async function serving(t: TestContext, argv: readonly string[], fake: FakeProcess = {}) {
  const command = start(['serve', ...argv], fake);
  t.after(() => command.stop(INTERRUPT));
  const { port } = await command.event('listening');
  return { command, port: port as number };
}

test('serve takes uploads only with --upload, and as its other flags say', async (t) => {
  const cwd = tempDir(t, { 'site/in/old': 'old', 'site/a.txt': '' });
  const plain = await serving(t, ['site', '0'], { cwd });
  const put = async (port: number, path: string, body = 'x') =>
    (await ask(port, path, { method: 'PUT', body })).status;
  assert.equal(await put(plain.port, '/new'), 405);
  assert.ok(!(await ask(plain.port, '/')).text.includes('<form class="up"'));
  const flags = [
    '--upload',
    '--upload-dir',
    'in',
    '--overwrite',
    '--max-upload',
    '10',
    '--mkdir',
    '--delete',
  ];
  const { port } = await serving(t, ['site', '0', ...flags], { cwd });
  assert.equal(await put(port, '/new'), 405);
  assert.equal(await put(port, '/in/old'), 204);
  assert.equal(await put(port, '/in/deep/new'), 201);
  assert.equal(await put(port, '/in/big', 'x'.repeat(11)), 413);
  assert.equal((await ask(port, '/in/deep/new', { method: 'DELETE' })).status, 204);
  assert.ok(!(await ask(port, '/')).text.includes('<form class="up"'));
  assert.ok((await ask(port, '/in/')).text.includes('<form class="up"'));
});

test('--zip and --sort are for listings', async (t) => {
  const cwd = tempDir(t, { 'small.txt': '1', 'large.txt': '12' });
  const { port } = await serving(t, ['.', '0', '--zip', '--sort', 'size'], { cwd });
  assert.equal((await ask(port, '/?zip')).header('content-type'), 'application/zip');
  const { text } = await ask(port, '/');
  assert.ok(text.indexOf('large.txt') < text.indexOf('small.txt'));
});

const REFUSED: ReadonlyArray<readonly [what: string, argv: readonly string[], code: number, words: RegExp]> =
  [
    [
      '--overwrite without --upload',
      ['--overwrite'],
      2,
      /--overwrite is about uploads.*\nhint: add --upload/,
    ],
    ['--max-upload without --upload', ['--max-upload', '5k'], 2, /--max-upload is about uploads/],
    ['--max-upload that is no size', ['--upload', '--max-upload', 'much'], 2, /'much' is not a size/],
    ['--upload-dir outside', ['--upload', '--upload-dir', '../x'], 2, /is not in the folder that is served/],
    ['--upload-dir that is missing', ['--upload', '--upload-dir', 'x'], 26, /no such folder/],
    ['--zip with --no-listing', ['--zip', '--no-listing'], 2, /--zip shows what --no-listing hides/],
    ['--sort by something else', ['--sort', 'colour'], 2, /--sort/],
  ];

for (const [what, argv, code, words] of REFUSED) {
  test(`${what} is refused with ${code}`, async (t) => {
    const result = await run(['serve', '.', '0', ...argv], { cwd: tempDir(t) });
    assert.equal(result.code, code);
    assert.match(result.stderr, words);
  });
}

test('a single file takes no uploads and is no ZIP', async (t) => {
  const cwd = tempDir(t, { 'a.txt': '' });
  for (const flag of ['--upload', '--zip', '--sort=size']) {
    const { code, stderr } = await run(['serve', 'a.txt', '0', flag], { cwd });
    assert.equal(code, 2);
    assert.match(stderr, /needs a folder to serve, not a file/);
  }
});

test('--watch tells browsers of changes, and open event streams do not hold up the end', async (t) => {
  const cwd = tempDir(t, { 'index.html': '<p>' });
  const { command, port } = await serving(t, ['.', '0', '--watch'], { cwd });
  assert.match((await ask(port, '/')).text, /\/\.nettool\/live\.js/);
  const socket = await open(port, 'GET /.nettool/events HTTP/1.1\r\nHost: test\r\n\r\n');
  let heard = '';
  for await (const data of socket) {
    if (heard === '') writeFileSync(join(cwd, 'index.html'), '<p>new');
    heard += data;
    if (heard.includes('event: change')) break;
  }
  const waiting = await open(port, 'GET /.nettool/events HTTP/1.1\r\nHost: test\r\n\r\n');
  await new Promise((resolve) => waiting.once('data', resolve));
  const beganMs = performance.now();
  assert.equal((await command.stop(INTERRUPT)).code, 0);
  assert.ok(performance.now() - beganMs < 3000);
});

test('--qr draws the address on stderr, large enough to be read, and stdout stays data', async (t) => {
  const { command } = await serving(t, ['.', '0', '--qr', '--color', 'never'], { cwd: tempDir(t) });
  const { stderr, stdout } = await command.stop(INTERRUPT);
  const code = stderr.split('\n').filter((line) => /[█▀▄]/.test(line));
  const widths = new Set(code.map((line) => line.length));
  assert.equal(widths.size, 1);
  assert.ok([...widths].every((width) => width >= 25 && Math.abs(width - code.length * 2) <= 1));
  assert.match(stderr, /http:\/\/127\.0\.0\.1:\d+\/ \(this machine only; --host 0\.0\.0\.0 is for all\)/);
  for (const line of stdout.split('\n').filter(Boolean)) assert.ok(JSON.parse(line).type);
});

test('--open opens the address with what the system has, and serves on when it has nothing', {
  skip: isWindows,
}, async (t) => {
  const cwd = tempDir(t, { 'a.txt': 'hello' });
  const tools = join(cwd, 'tools');
  mkdirSync(tools);
  for (const name of ['xdg-open', 'open']) {
    writeFileSync(join(tools, name), `#!/bin/sh\nprintf %s "$1" > "${cwd}/opened"\n`);
    chmodSync(join(tools, name), 0o755);
  }
  const opened = await serving(t, ['.', '0', '--open'], { cwd, env: { PATH: `${tools}:/bin:/usr/bin` } });
  const url = `http://127.0.0.1:${opened.port}/`;
  const told = (): string => {
    try {
      return readFileSync(join(cwd, 'opened'), 'utf8');
    } catch {
      return '';
    }
  };
  while (told() !== url) await new Promise((resolve) => setTimeout(resolve, 10));
  const nothing = join(cwd, 'nothing');
  mkdirSync(nothing);
  symlinkSync('/bin/false', join(nothing, 'false'));
  const without = await serving(t, ['.', '0', '--open'], { cwd, env: { PATH: nothing } });
  assert.equal((await ask(without.port, '/a.txt')).text, 'hello');
  const { code, stderr } = await without.command.stop(INTERRUPT);
  assert.equal(code, 0);
  assert.match(stderr, /there is nothing to open http:/);
});
