import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { runTool } from '../../src/core/platform/exec.js';
import { hasTool } from '../helpers/namespaces.js';
import { type Json, parseLines } from '../helpers/run.js';

const ROOT = resolve(import.meta.dirname, '../..');
const skip = process.platform === 'linux' ? false : 'the fallbacks of Linux';

/** Our sources in a Node that has no FFI, as older ones have not. */
async function nettool(...args: string[]) {
  const loader = resolve(ROOT, 'node_modules/tsx/dist/loader.mjs');
  const node = ['--no-experimental-ffi', '--import', loader, resolve(ROOT, 'bin/nettool.ts')];
  return runTool(process.execPath, [...node, ...args], { timeoutMs: 30_000 });
}

test('ifconfig without FFI reads /proc', { skip }, async () => {
  const { exitCode, stdout } = await nettool('ifconfig', 'lo', '--json');
  const [lo] = parseLines(stdout)[0].interfaces;
  assert.equal(exitCode, 0);
  assert.deepEqual([lo.name, lo.up, lo.loopback, lo.mtu], ['lo', true, true, 65_536]);
  assert.ok(lo.addresses.some((address: Json) => address.address === '127.0.0.1'));
  assert.equal((await nettool('ifconfig', '--routes')).exitCode, 0);
});

test("ping without FFI asks the system's ping", {
  skip: skip || (hasTool('ping') ? false : 'no ping here'),
}, async () => {
  const { exitCode, stdout } = await nettool('ping', '-c', '1', '127.0.0.1', '--json');
  const [start, reply] = parseLines(stdout);
  assert.equal(exitCode, 0);
  assert.equal(start.method, 'system');
  assert.deepEqual([reply.type, reply.bytes], ['reply', 64]);
});
