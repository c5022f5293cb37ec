import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  isHidden,
  isPortable,
  mayServe,
  openWithin,
  placeByName,
  resolveRoot,
} from '../../../../src/core/handlers/static/path.js';
import { isWindows } from '../../../../src/core/platform/os.js';
import { countDescriptors, tempDir } from '../../../helpers/temp-dir.js';

/** Opens and closes; the status it was refused with, or `file` or `folder`. */
function outcome(root: ReturnType<typeof resolveRoot>, path: string): number | string {
  const opened = openWithin(root, path);
  if (typeof opened === 'number') return opened;
  closeSync(opened.fd);
  return opened.stat.isFile() ? 'file' : 'folder';
}

test('what starts with a dot is hidden at any depth, .well-known excepted', () => {
  for (const path of [
    '/.env',
    '/.git/config',
    '/a/.b',
    '/.env/',
    '/...',
    '/.well-known-not',
    '/.well-known/.x',
  ]) {
    assert.ok(isHidden(path), path);
  }
  for (const path of ['/', '/a', '/a.b', '/a/b.', '/.well-known', '/.well-known/acme', '/a/.well-known/']) {
    assert.ok(!isHidden(path), path);
  }
});

test('names Windows would take for something else are refused there alone', () => {
  const names = [
    '/a\\b',
    '/C:',
    '/x::$DATA',
    '/INDEX~1.HTM',
    '/con',
    '/a/NUL.txt',
    '/secret.txt.',
    '/secret.txt ',
    '/com1/x',
  ];
  for (const path of names) {
    assert.ok(!isPortable(path, true), path);
    assert.ok(isPortable(path, false), path);
  }
  for (const path of ['/', '/console/a.txt', '/a b/c-d.x', '/auxiliary'])
    assert.ok(isPortable(path, true), path);
});

test('a folder beside the root with the same beginning is not inside it', () => {
  const root = { path: '/srv/site', isFile: false, followLinks: false };
  assert.ok(mayServe(root, '/srv/site') && mayServe(root, '/srv/site/a'));
  assert.ok(!mayServe(root, '/srv/site-private/a') && !mayServe(root, '/srv') && !mayServe(root, ''));
  assert.ok(mayServe({ ...root, path: '/' }, '/etc'));
});

test('files, folders and links inside the root are opened; links that leave it only when asked for', (t) => {
  const folder = tempDir(t, { 'site/a/file': 'x', 'out/secret': 'y' });
  const site = join(folder, 'site');
  symlinkSync('a/file', join(site, 'link'));
  symlinkSync('a', join(site, 'folder-link'));
  symlinkSync('../out', join(site, 'out-folder'));
  symlinkSync('../out/secret', join(site, 'out-file'));
  symlinkSync('..', join(site, 'up'));
  symlinkSync('nowhere', join(site, 'dangling'));
  symlinkSync('loop', join(site, 'loop'));
  const strict = resolveRoot(site, false);
  const following = resolveRoot(site, true);
  const inside = ['/', '/a', '/a/file', '/link', '/folder-link/file'];
  assert.deepEqual(
    inside.map((path) => outcome(strict, path)),
    ['folder', 'folder', 'file', 'file', 'file'],
  );
  for (const path of [
    '/out-folder',
    '/out-folder/',
    '/out-folder/secret',
    '/out-file',
    '/up',
    '/up/out/secret',
  ]) {
    assert.equal(outcome(strict, path), 404, path);
    assert.notEqual(outcome(following, path), 404, path);
  }
  for (const path of ['/dangling', '/loop', '/none', '/link/', '/a/file/x', `/${'n'.repeat(300)}`]) {
    assert.equal(outcome(strict, path), 404, path);
    assert.equal(outcome(following, path), 404, path);
  }
});

test('a root that is itself a link serves what that leads to', (t) => {
  const folder = tempDir(t, { 'real/file': 'x' });
  symlinkSync('real', join(folder, 'link'));
  assert.equal(outcome(resolveRoot(join(folder, 'link'), false), '/file'), 'file');
});

test('what may not be read is 403 inside the root, and not even known to exist outside it', {
  skip: process.geteuid?.() !== 0,
}, (t) => {
  const folder = tempDir(t, { 'site/locked': 'x', 'site/locked-folder/x': 'x', 'out/locked': 'y' });
  symlinkSync('../out/locked', join(folder, 'site/leaving'));
  for (const name of ['site/locked', 'site/locked-folder', 'out/locked']) chmodSync(join(folder, name), 0);
  chmodSync(folder, 0o755);
  const root = resolveRoot(join(folder, 'site'), false);
  const before = countDescriptors();
  // Root may read everything; for a moment this is somebody else.
  process.seteuid?.(65_534);
  try {
    assert.equal(outcome(root, '/locked'), 403);
    assert.equal(outcome(root, '/locked-folder/'), 403);
    assert.equal(outcome(root, '/locked-folder/x'), 404);
    assert.equal(outcome(root, '/leaving'), 404);
    assert.throws(() => resolveRoot(join(folder, 'site/locked-folder'), false), { code: 'INPUT_FAILED' });
    assert.throws(() => resolveRoot(join(folder, 'site/locked'), false), /permission denied/);
  } finally {
    process.seteuid?.(0);
  }
  assert.equal(countDescriptors(), before);
});

test('a FIFO is refused without waiting for its writer, and a socket too', { skip: isWindows }, (t) => {
  const folder = tempDir(t);
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  symlinkSync('fifo', join(folder, 'link'));
  symlinkSync('/dev/zero', join(folder, 'device'));
  const root = resolveRoot(folder, true);
  for (const path of ['/fifo', '/link', '/device']) assert.equal(outcome(root, path), 404);
});

test('refusals leave no descriptor open', (t) => {
  const folder = tempDir(t, { 'site/file': 'x', 'out/secret': 'y' });
  symlinkSync('../out', join(folder, 'site/out'));
  const root = resolveRoot(join(folder, 'site'), false);
  outcome(root, '/out/secret');
  const before = countDescriptors();
  for (let count = 0; count < 50; count += 1) {
    assert.equal(outcome(root, '/out/secret'), 404);
    assert.equal(outcome(root, '/none'), 404);
  }
  assert.equal(countDescriptors(), before);
});

test('without /proc the real place is known by name and inode', (t) => {
  const folder = tempDir(t, { 'a/file': 'x', 'b/file': 'y' });
  const name = join(folder, 'a/file');
  const stat = statSync(name, { bigint: true });
  assert.equal(placeByName(name, stat), name);
  rmSync(name);
  renameSync(join(folder, 'b/file'), name);
  assert.equal(placeByName(name, stat), undefined);
});

test('a folder swapped for a link while requests come never shows what lies outside', (t) => {
  const folder = tempDir(t, { 'site/a/file': 'inside', 'out/file': 'outside' });
  const site = join(folder, 'site');
  const root = resolveRoot(site, false);
  for (let count = 0; count < 50; count += 1) {
    assert.equal(outcome(root, '/a/file'), 'file');
    renameSync(join(site, 'a'), join(site, 'b'));
    symlinkSync('../out', join(site, 'a'));
    assert.equal(outcome(root, '/a/file'), 404);
    rmSync(join(site, 'a'));
    renameSync(join(site, 'b'), join(site, 'a'));
  }
});

test('a root that is missing or neither folder nor file is refused with the reason', {
  skip: isWindows,
}, (t) => {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'x'));
  writeFileSync(join(folder, 'file'), '');
  const reason = (name: string) => {
    try {
      resolveRoot(name, false);
    } catch (error) {
      return [(error as { code: string }).code, (error as Error).message];
    }
    return undefined;
  };
  const missing = join(folder, 'none');
  assert.deepEqual(reason(missing), ['INPUT_FAILED', `cannot serve ${missing} (no such file or directory)`]);
  assert.deepEqual(reason('/dev/null'), [
    'INPUT_FAILED',
    'cannot serve /dev/null (neither a folder nor a regular file)',
  ]);
  assert.equal(reason(join(folder, 'x')), undefined);
  assert.equal(reason(join(folder, 'file')), undefined);
});
