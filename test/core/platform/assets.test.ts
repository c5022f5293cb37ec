import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { unpackAssets } from '../../../src/core/platform/assets.js';
import { tempDir } from '../../helpers/temp-dir.js';

function useCache(t: TestContext): string {
  const before = process.env.XDG_CACHE_HOME;
  const folder = tempDir(t);
  process.env.XDG_CACHE_HOME = folder;
  t.after(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  });
  return folder;
}

test('files are written once, for this user alone, under the name of their content', async (t) => {
  const cache = useCache(t);
  const assets = { 'a.py': 'print(1)', 'inner/b.py': 'print(2)' };
  const folders = await Promise.all([unpackAssets('x', assets), unpackAssets('x', assets)]);
  assert.equal(folders[0], folders[1]);
  assert.equal(readFileSync(join(folders[0] as string, 'inner/b.py'), 'utf8'), 'print(2)');
  assert.equal(statSync(join(cache, 'nettool')).mode & 0o777, 0o700);
  assert.notEqual(await unpackAssets('x', { ...assets, 'a.py': 'print(3)' }), folders[0]);
  assert.deepEqual(
    readdirSync(join(cache, 'nettool')).filter((name) => name.startsWith('.')),
    [],
  );
});

test('a folder that others may write to is closed to them first, and a link is not followed', async (t) => {
  const cache = useCache(t);
  mkdirSync(join(cache, 'nettool'));
  chmodSync(join(cache, 'nettool'), 0o777);
  await unpackAssets('x', { a: '1' });
  assert.equal(statSync(join(cache, 'nettool')).mode & 0o777, 0o700);
  const other = useCache(t);
  const target = tempDir(t);
  symlinkSync(target, join(other, 'nettool'));
  const folder = await unpackAssets('x', { a: '1' });
  assert.ok(!folder.startsWith(other));
  assert.deepEqual(readdirSync(target), []);
});
