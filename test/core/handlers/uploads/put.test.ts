import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { UploadRules } from '../../../../src/core/handlers/static/features.js';
import { isWindows } from '../../../../src/core/platform/os.js';
import { serveFolder, UPLOAD_RULES } from '../../../helpers/folder-server.js';
import { ask, exchange, open, parseAnswer } from '../../../helpers/raw-http.js';
import { countDescriptors, emptied, tempDir } from '../../../helpers/temp-dir.js';

async function start(t: TestContext, root: string, rules: Partial<UploadRules> = {}) {
  return serveFolder(t, root, { uploads: { ...UPLOAD_RULES, ...rules } });
}

const put = (port: number, path: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
  ask(port, path, { method: 'PUT', body, headers });

async function putChunked(port: number, path: string, chunks: readonly string[]) {
  const head = `PUT ${path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
  const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
  return parseAnswer(await exchange(port, `${head}${body}0\r\n\r\n`));
}

test('PUT stores a file under its path, says where, and leaves nothing else', async (t) => {
  const root = tempDir(t, { 'sub/x': '' });
  const { port } = await start(t, root);
  const answer = await put(port, '/sub/a%20b%23.txt', 'hello');
  assert.equal(answer.status, 201);
  assert.equal(answer.header('location'), '/sub/a%20b%23.txt');
  assert.deepEqual(readdirSync(join(root, 'sub')).sort(), ['a b#.txt', 'x']);
  assert.equal((await ask(port, '/sub/a%20b%23.txt')).text, 'hello');
  assert.equal((await put(port, '/empty', '', { 'Content-Length': '0' })).status, 201);
});

test('PUT takes a body of unknown length too', async (t) => {
  const root = tempDir(t);
  const { port } = await start(t, root);
  const answer = await putChunked(port, '/x', ['hello', ' world']);
  assert.equal(answer.status, 201);
  assert.equal(readFileSync(join(root, 'x'), 'utf8'), 'hello world');
});

test('a name that is taken is 409 and keeps its content; --overwrite replaces it with 204', async (t) => {
  const root = tempDir(t, { 'a.txt': 'old' });
  const { port } = await start(t, root);
  assert.equal((await put(port, '/a.txt', 'new')).status, 409);
  assert.equal(readFileSync(join(root, 'a.txt'), 'utf8'), 'old');
  const overwriting = await start(t, root, { overwrite: true });
  assert.equal((await put(overwriting.port, '/a.txt', 'new')).status, 204);
  assert.equal((await put(overwriting.port, '/b.txt', 'new')).status, 201);
  assert.equal(readFileSync(join(root, 'a.txt'), 'utf8'), 'new');
  mkdirSync(join(root, 'folder'));
  assert.equal((await put(overwriting.port, '/folder', 'new')).status, 409);
  assert.deepEqual(readdirSync(root).sort(), ['a.txt', 'b.txt', 'folder']);
});

test('of many uploads to one name at once exactly one is stored', async (t) => {
  const root = tempDir(t);
  const { port } = await start(t, root);
  const bodies = Array.from({ length: 20 }, (_, index) => String(index).repeat(50_000));
  const answers = await Promise.all(bodies.map((body) => put(port, '/one', body)));
  const won = answers.findIndex(({ status }) => status === 201);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(19).fill(409)]);
  assert.equal(readFileSync(join(root, 'one'), 'utf8'), bodies[won]);
  assert.deepEqual(readdirSync(root), ['one']);
});

test('hidden, reserved and unclean names are refused, hidden folders not even known', async (t) => {
  const root = tempDir(t, { '.git/config': '', '.well-known/x': '' });
  const { port } = await start(t, root, { overwrite: true });
  for (const path of ['/.env', '/CON.txt', '/a%0ab', '/a%5cb', '/a%E2%80%AEb', '/bad%ff', '/x.']) {
    assert.equal((await put(port, path, 'x')).status, 400, path);
  }
  assert.equal((await put(port, '/.git/config', 'x')).status, 404);
  assert.equal((await put(port, '/.well-known/y', 'x')).status, 201);
  assert.equal((await put(port, `/${'n'.repeat(300)}`, 'x')).status, 400);
  assert.deepEqual(readdirSync(root).sort(), ['.git', '.well-known']);
});

test('nothing is written outside the folder, by dots or by links', { skip: isWindows }, async (t) => {
  const folder = tempDir(t, { 'site/in/x': '', 'out/keep': 'kept', 'victim.txt': 'kept' });
  const root = join(folder, 'site');
  symlinkSync('../out', join(root, 'leaving'));
  symlinkSync('../victim.txt', join(root, 'file-link'));
  symlinkSync('in', join(root, 'staying'));
  symlinkSync('../nowhere', join(root, 'dangling'));
  const uploads = { ...UPLOAD_RULES, overwrite: true, makeFolders: true, allowDelete: true };
  // Reading through links that leave is allowed here; writing never is.
  const { port } = await serveFolder(t, root, { uploads }, { followLinks: true });
  assert.equal((await put(port, '/leaving/new', 'x')).status, 404);
  assert.equal((await put(port, '/leaving/deep/new', 'x')).status, 404);
  assert.equal((await put(port, '/dangling/new', 'x')).status, 404);
  assert.equal((await put(port, '/../../escaped', 'x')).status, 201);
  assert.ok(!existsSync(join(folder, 'escaped')) && existsSync(join(root, 'escaped')));
  assert.equal((await put(port, '/staying/new', 'x')).status, 201);
  assert.equal(readFileSync(join(root, 'in/new'), 'utf8'), 'x');
  // The link is replaced, not what it leads to.
  assert.equal((await put(port, '/file-link', 'x')).status, 204);
  assert.equal((await ask(port, '/leaving/keep', { method: 'DELETE' })).status, 404);
  assert.equal((await ask(port, '/leaving', { method: 'DELETE' })).status, 204);
  assert.equal(readFileSync(join(folder, 'victim.txt'), 'utf8'), 'kept');
  assert.deepEqual(readdirSync(join(folder, 'out')), ['keep']);
});

test('what is larger than allowed is 413, by its length at once, by its bytes when it has none', async (t) => {
  const root = tempDir(t);
  const server = await start(t, root, { maxBytes: 1000 });
  assert.equal((await put(server.port, '/exact', 'x'.repeat(1000))).status, 201);
  const begun = await open(
    server.port,
    'PUT /big HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\nfirst bytes',
  );
  const answer = await new Promise<string>((resolve) => begun.once('data', (data) => resolve(String(data))));
  begun.destroy();
  assert.match(answer, /^HTTP\/1\.1 413 /);
  const chunked = await putChunked(server.port, '/big', ['x'.repeat(1000), 'x'.repeat(1000)]);
  assert.equal(chunked.status, 413);
  assert.deepEqual(readdirSync(root), ['exact']);
});

test('a client that leaves halfway leaves no file and no descriptor', async (t) => {
  const root = tempDir(t);
  const server = await start(t, root);
  const leave = async (): Promise<void> => {
    const socket = await open(
      server.port,
      'PUT /x HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\nhalf',
    );
    while (readdirSync(root).length === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.resetAndDestroy();
    await server.nextRequest();
    await emptied(root);
  };
  await leave();
  const before = countDescriptors();
  for (let count = 0; count < 20; count += 1) await leave();
  const after = countDescriptors();
  if (before !== undefined && after !== undefined) assert.ok(after <= before + 2, `${before} → ${after}`);
  assert.deepEqual(readdirSync(root), []);
});

test('a disk that is full is 507 and gets its space back', { skip: !canMount() }, async (t) => {
  const root = tempDir(t);
  const disk = join(root, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
  try {
    await fillDisk(t, disk);
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});

async function fillDisk(t: TestContext, root: string): Promise<void> {
  const { port } = await start(t, root);
  const answer = await put(port, '/x', Buffer.alloc(1_000_000));
  assert.equal(answer.status, 507);
  assert.match(answer.text, /there is no space left/);
  assert.deepEqual(readdirSync(root), []);
  assert.equal((await put(port, '/x', Buffer.alloc(100_000))).status, 201);
}

/** Only root may, and not in every container. */
function canMount(): boolean {
  if (isWindows || process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('only the folder for uploads takes them, and missing folders are made only where that is allowed', async (t) => {
  const root = tempDir(t, { 'in/x': '', 'other/x': '' });
  const { port } = await start(t, root, { folder: '/in/' });
  const outside = await put(port, '/other/new', 'x');
  assert.equal(outside.status, 405);
  assert.equal(outside.header('allow'), 'GET, HEAD, OPTIONS');
  assert.equal((await put(port, '/in/new', 'x')).status, 201);
  assert.equal((await put(port, '/in/a/b/new', 'x')).status, 404);
  assert.equal((await ask(port, '/in/a', { method: 'MKCOL' })).status, 405);
  const making = await start(t, root, { folder: '/in/', makeFolders: true });
  assert.equal((await put(making.port, '/in/a/b/new', 'x')).status, 201);
  assert.equal((await put(making.port, '/in/.a/b/new', 'x')).status, 404);
  assert.equal((await put(making.port, '/in/nul/b', 'x')).status, 400);
  assert.equal((await put(making.port, '/in/x/b', 'x')).status, 404);
  const made = await ask(making.port, '/in/c%20d', { method: 'MKCOL' });
  assert.deepEqual([made.status, made.header('location')], [201, '/in/c%20d/']);
  assert.equal((await ask(making.port, '/in/c%20d', { method: 'MKCOL' })).status, 409);
  assert.ok(statSync(join(root, 'in/c d')).isDirectory());
});

test('DELETE removes files and empty folders, where it is allowed, and never the root', async (t) => {
  const root = tempDir(t, { 'a.txt': '', 'full/x': '', '.hidden': '' });
  mkdirSync(join(root, 'empty'));
  const without = await start(t, root);
  assert.equal((await ask(without.port, '/a.txt', { method: 'DELETE' })).status, 405);
  const { port } = await start(t, root, { allowDelete: true });
  const remove = async (path: string) => (await ask(port, path, { method: 'DELETE' })).status;
  assert.equal(await remove('/a.txt'), 204);
  assert.equal(await remove('/a.txt'), 404);
  assert.equal(await remove('/a.txt/'), 404);
  assert.equal(await remove('/full/'), 409);
  assert.equal(await remove('/empty/'), 204);
  assert.equal(await remove('/.hidden'), 404);
  assert.equal(await remove('/'), 405);
  assert.deepEqual(readdirSync(root).sort(), ['.hidden', 'full']);
});

test('OPTIONS and 405 say what may be done with a path, and how much it takes', async (t) => {
  const root = tempDir(t);
  const { port } = await start(t, root, { allowDelete: true, makeFolders: true, maxBytes: 5 });
  const folder = await ask(port, '/', { method: 'OPTIONS' });
  assert.equal(folder.header('allow'), 'GET, HEAD, OPTIONS, POST, MKCOL');
  assert.equal(folder.header('upload-limit'), 'max-size=5');
  const file = await ask(port, '/x', { method: 'PATCH' });
  assert.deepEqual([file.status, file.header('allow')], [405, 'GET, HEAD, OPTIONS, PUT, MKCOL, DELETE']);
});

test('preconditions guard a change: only new, or only what the client has seen', async (t) => {
  const root = tempDir(t, { 'a.txt': 'old' });
  const { port } = await start(t, root, { overwrite: true, allowDelete: true });
  const etag = (await ask(port, '/a.txt')).header('etag') as string;
  assert.equal((await put(port, '/a.txt', 'new', { 'If-None-Match': '*' })).status, 412);
  assert.equal((await put(port, '/b.txt', 'new', { 'If-None-Match': '*' })).status, 201);
  assert.equal((await put(port, '/a.txt', 'new', { 'If-Match': '"other"' })).status, 412);
  assert.equal((await put(port, '/c.txt', 'new', { 'If-Match': '*' })).status, 412);
  assert.equal((await put(port, '/a.txt', 'new', { 'If-Match': etag })).status, 204);
  assert.equal((await ask(port, '/a.txt', { method: 'DELETE', headers: { 'If-Match': etag } })).status, 412);
  assert.equal(readFileSync(join(root, 'a.txt'), 'utf8'), 'new');
});

test('pages of other sites cannot write, whatever kind of request they send', async (t) => {
  const root = tempDir(t);
  const { port } = await start(t, root);
  const foreign: Record<string, string>[] = [
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { Origin: 'http://evil.example' },
    { Origin: 'null' },
    { Origin: 'http://test:81' },
  ];
  for (const headers of foreign) {
    assert.equal((await put(port, '/x', 'x', headers)).status, 403, JSON.stringify(headers));
  }
  assert.deepEqual(readdirSync(root), []);
  assert.equal((await put(port, '/x', 'x', { Origin: 'http://test' })).status, 201);
  assert.equal(
    (await put(port, '/y', 'x', { 'Sec-Fetch-Site': 'same-origin', Origin: 'https://p' })).status,
    201,
  );
});

test('content codings are not stored as if they were the file', async (t) => {
  const root = tempDir(t);
  const { port } = await start(t, root);
  assert.equal((await put(port, '/x', 'x', { 'Content-Encoding': 'gzip' })).status, 415);
});

test('a folder that may not be written is 403, and no answer tells where it is', async (t) => {
  const root = tempDir(t, { 'ro/x': '' });
  const { port } = await start(t, root);
  // Root may write anywhere but into what cannot be written at all.
  const answer = existsSync('/proc/self') ? await readOnly(t, root) : await put(port, '/missing/x', 'x');
  assert.ok(answer.status >= 400 && !answer.text.includes(root), answer.text);
});

async function readOnly(t: TestContext, root: string) {
  writeFileSync(join(root, 'note'), '');
  const { port } = await start(t, '/proc/self');
  return put(port, '/x', 'x');
}
