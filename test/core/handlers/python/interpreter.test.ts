import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { findPython } from '../../../../src/core/handlers/python/interpreter.js';
import { tempDir } from '../../../helpers/temp-dir.js';

function executable(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, 0o755);
  return path;
}

test('the interpreter is the one asked for, the active one, the nearest one, or the one on the PATH', async (t) => {
  const root = tempDir(t);
  const folder = join(root, 'project/deep');
  mkdirSync(folder, { recursive: true });
  const onPath = executable(join(root, 'bin/python3'));
  const search = { env: { PATH: `${join(root, 'nothing')}:${dirname(onPath)}` }, cwd: root, folder };
  assert.equal((await findPython(search)).command, onPath);
  const near = executable(join(root, 'project/.venv/bin/python'));
  assert.equal((await findPython(search)).command, onPath, 'a folder of that name alone is no environment');
  writeFileSync(join(root, 'project/.venv/pyvenv.cfg'), '');
  assert.deepEqual(await findPython(search), { command: near, reason: 'the nearest virtual environment' });
  const active = executable(join(root, 'active/bin/python'));
  const env = { ...search.env, VIRTUAL_ENV: join(root, 'active') };
  assert.equal((await findPython({ ...search, env })).command, active);
  const asked = executable(join(root, 'other/bin/python'));
  for (const python of [asked, join(root, 'other'), 'other/', 'other/bin/python']) {
    assert.equal((await findPython({ ...search, env, python })).command, asked, python);
  }
  assert.equal((await findPython({ ...search, env, python: 'python3' })).command, onPath);
});

test('an interpreter that is not there is told with what to do', async (t) => {
  const search = { env: { PATH: '' }, cwd: tempDir(t), folder: tempDir(t) };
  await assert.rejects(findPython({ ...search, python: '/no/python' }), {
    code: 'INTERNAL',
    message: 'there is no Python interpreter at /no/python',
    hint: /--python/,
  });
  await assert.rejects(findPython(search), { code: 'INTERNAL', message: 'no Python interpreter was found' });
});
