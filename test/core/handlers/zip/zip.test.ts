import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isWindows } from '../../../../src/core/platform/os.js';
import { serveFolder } from '../../../helpers/folder-server.js';
import { ask, open } from '../../../helpers/raw-http.js';
import { countDescriptors, tempDir } from '../../../helpers/temp-dir.js';

const run = promisify(execFile);

const hasUnzip = await run('unzip', ['-v']).then(
  () => true,
  () => false,
);

/** What a ZIP holds, by unpacking it with unzip, which also checks every sum. */
async function unpack(t: Parameters<typeof tempDir>[0], zip: Uint8Array): Promise<string> {
  const folder = tempDir(t, { 'x.zip': zip });
  mkdirSync(join(folder, 'out'));
  await run('unzip', ['-q', join(folder, 'x.zip'), '-d', join(folder, 'out')]);
  return join(folder, 'out');
}

const tree = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

test('a folder is had as a ZIP, whole, with empty folders and dates', { skip: !hasUnzip }, async (t) => {
  const big = Buffer.from(Array.from({ length: 700_000 }, (_, index) => (index * 31) % 251));
  const root = tempDir(t, { 'sub/a.txt': 'hello', 'sub/deep/big.bin': big, 'sub/é ü.txt': '', x: '' });
  mkdirSync(join(root, 'sub/empty'));
  utimesSync(join(root, 'sub/a.txt'), 0, 0);
  const { port } = await serveFolder(t, root, { zip: true });
  const answer = await ask(port, '/sub/?zip');
  assert.equal(answer.status, 200);
  assert.equal(answer.header('content-type'), 'application/zip');
  assert.equal(
    answer.header('content-disposition'),
    `attachment; filename="sub.zip"; filename*=UTF-8''sub.zip`,
  );
  const out = await unpack(t, answer.body);
  assert.deepEqual(tree(out), [
    'sub',
    'sub/a.txt',
    'sub/deep',
    'sub/deep/big.bin',
    'sub/empty',
    'sub/é ü.txt',
  ]);
  assert.deepEqual(readFileSync(join(out, 'sub/deep/big.bin')), big);
  assert.equal(readFileSync(join(out, 'sub/a.txt'), 'utf8'), 'hello');
});

test('a ZIP holds only what could be asked for one by one', { skip: isWindows || !hasUnzip }, async (t) => {
  const folder = tempDir(t, {
    'site/good.txt': 'x',
    'site/.env': 'secret',
    'site/d/y': '',
    'out/secret': 'y',
  });
  const root = join(folder, 'site');
  symlinkSync('../out', join(root, 'leaving'));
  symlinkSync('../out/secret', join(root, 'leaving-file'));
  symlinkSync('good.txt', join(root, 'staying'));
  symlinkSync('..', join(root, 'd/loop'));
  symlinkSync('.', join(root, 'here'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/bad`), Buffer.from([0xff])]), '');
  const { port } = await serveFolder(t, root, { zip: true });
  const out = await unpack(t, (await ask(port, '/?zip')).body);
  assert.deepEqual(tree(out), ['files', 'files/d', 'files/d/y', 'files/good.txt', 'files/staying']);
  assert.equal((await ask(port, '/leaving/?zip')).status, 404);
  assert.equal((await ask(port, '/.git/?zip')).status, 404);
  const hidden = await serveFolder(t, root, { zip: true }, { showHidden: true });
  assert.ok(tree(await unpack(t, (await ask(hidden.port, '/?zip')).body)).includes('files/.env'));
});

test('names that mean a path elsewhere are made harmless, and so is the header', {
  skip: isWindows,
}, async (t) => {
  const root = tempDir(t, { 'a"b\r\nX: y/up\\..\\evil.txt': 'x' });
  const { port } = await serveFolder(t, root, { zip: true });
  const answer = await ask(port, '/a%22b%0d%0aX:%20y/?zip');
  assert.equal(answer.header('x'), undefined);
  assert.match(
    answer.header('content-disposition') ?? '',
    /filename="a_b__X_ y\.zip"; filename\*=UTF-8''a%22b%0D%0AX/,
  );
  assert.ok(answer.body.includes('a"b__X: y/up_.._evil.txt'));
  assert.ok(!answer.body.includes('\\evil') && !answer.body.includes('\r\nX'));
});

test('?zip is nothing without the flag, nothing for files, and the link is there only with it', async (t) => {
  const root = tempDir(t, { 'a.txt': 'x' });
  const { port } = await serveFolder(t, root, { zip: true });
  assert.equal((await ask(port, '/a.txt?zip')).text, 'x');
  assert.equal((await ask(port, '/missing/?zip')).status, 404);
  assert.equal((await ask(port, '/?zip', { method: 'HEAD' })).header('content-type'), 'application/zip');
  assert.match((await ask(port, '/')).text, /href="\?zip"/);
  const without = await serveFolder(t, root, {});
  assert.match((await ask(without.port, '/?zip')).header('content-type') ?? '', /text\/html/);
  assert.ok(!(await ask(without.port, '/')).text.includes('?zip'));
});

test('downloads that are broken off leave no descriptor open, in the middle of a file or between', async (t) => {
  const root = tempDir(t, { 'a/small': 'x', 'b/c/d': 'y' });
  writeFileSync(join(root, 'z-large'), '');
  truncateSync(join(root, 'z-large'), 2 ** 31);
  const server = await serveFolder(t, root, { zip: true });
  const leave = async (): Promise<void> => {
    const socket = await open(server.port, 'GET /?zip HTTP/1.1\r\nHost: test\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    assert.equal((await server.nextRequest()).aborted, true);
  };
  await leave();
  const before = countDescriptors();
  for (let count = 0; count < 20; count += 1) await leave();
  const after = countDescriptors();
  if (before !== undefined && after !== undefined) assert.ok(after <= before + 2, `${before} → ${after}`);
});

test('a slow reader does not make a ZIP grow in memory', async (t) => {
  const root = tempDir(t, { large: '' });
  truncateSync(join(root, 'large'), 2 ** 30);
  const server = await serveFolder(t, root, { zip: true });
  const socket = await open(server.port, 'GET /?zip HTTP/1.1\r\nHost: test\r\n\r\n');
  await once(socket, 'data');
  socket.pause();
  const before = process.memoryUsage().rss;
  await new Promise((resolve) => setTimeout(resolve, 500));
  const grownBytes = process.memoryUsage().rss - before;
  socket.destroy();
  assert.ok(grownBytes < 40 * 2 ** 20, `${grownBytes}`);
});

test('more than 65535 files are a ZIP64 that unzip takes without a word', { skip: !hasUnzip }, async (t) => {
  const root = tempDir(t, { file: 'x' });
  const script = join(import.meta.dirname, '../../../fixtures/many-files-zip.ts');
  for (const count of [65_534, 65_535, 65_536]) {
    const zip = join(root, `${count}.zip`);
    await run(process.execPath, ['--import', 'tsx', script, join(root, 'file'), zip, String(count)]);
    const { stdout } = await run('unzip', ['-tqq', zip]);
    assert.equal(stdout.trim(), '');
    assert.match((await run('zipinfo', ['-t', zip])).stdout, new RegExp(`^${count} files`));
  }
});
