import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runTool } from '../../../src/core/platform/exec.js';
import {
  allocateNative,
  bindLibrary,
  copyNative,
  hasFfi,
  readErrno,
  watchReadable,
} from '../../../src/core/platform/ffi.js';
import { createRealtimeClock, loadLibc, nameErrno, systemError } from '../../../src/core/platform/libc.js';

const skip = hasFfi() && process.platform === 'linux' ? false : 'needs node:ffi and Linux';

test('loading FFI warns nobody', { skip }, async () => {
  const path = new URL('../../../src/core/platform/ffi.ts', import.meta.url).pathname;
  const program = `process.on('warning', (w) => { console.log(w.message); });
    import(${JSON.stringify(path)}).then((ffi) => { console.log(ffi.hasFfi()); process.emitWarning('kept'); });`;
  const { stdout } = await runTool(
    process.execPath,
    [
      '--no-warnings',
      '--import',
      new URL('../../../node_modules/tsx/dist/loader.mjs', import.meta.url).pathname,
      '-e',
      program,
    ],
    { timeoutMs: 20_000 },
  );
  assert.equal(stdout, 'true\nkept\n');
});

test('a missing library or function is no function, not an exception', { skip }, () => {
  const nothing = { arguments: [], return: 'void' } as const;
  assert.equal(bindLibrary('libnosuch.so.9', { anything: nothing }), undefined);
  assert.equal(bindLibrary(null, { no_such_function_anywhere: nothing }), undefined);
});

test('errno of a failed call is the one of that call', { skip }, () => {
  const libc = loadLibc();
  assert.equal(libc?.close(9999), -1);
  assert.equal(nameErrno(readErrno()), 'EBADF');
  const error = systemError('close', 13);
  assert.deepEqual([error.code, error.syscall, error.errno], ['EACCES', 'close', 13]);
  assert.equal(nameErrno(54_321), 'Unknown system error -54321');
});

test('native memory is zeroed, and seen by both sides', { skip }, () => {
  const memory = allocateNative(64);
  assert.ok(memory !== undefined);
  assert.ok(memory.bytes.every((byte) => byte === 0));
  memory.bytes.write('hello');
  assert.equal(copyNative(memory.pointer, 5)?.toString(), 'hello');
  memory.free();
});

test('a descriptor is watched until the watch is stopped, and promises made in the callback run', {
  skip,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'nettool-ffi-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'fifo');
  await runTool('mkfifo', [path], { timeoutMs: 5000 });
  const fd = openSync(path, 'r+');
  t.after(() => closeSync(fd));
  const libc = loadLibc();
  const read = bindLibrary(null, {
    read: { arguments: ['int32', 'buffer', 'uint64'], return: 'int32' },
  })?.read;
  assert.ok(libc !== undefined && read !== undefined);
  const got: string[] = [];
  let wake: () => void = () => {};
  const stop = watchReadable(fd, () => {
    const buffer = Buffer.alloc(100);
    got.push(buffer.toString('latin1', 0, read(fd, buffer, 100n)));
    Promise.resolve().then(() => wake());
  });
  assert.ok(stop !== undefined);
  for (const word of ['one', 'two']) {
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    writeSync(fd, word);
    await woken;
  }
  assert.deepEqual(got, ['one', 'two']);
  stop();
  stop();
});

test('the realtime clock agrees with Date, in nanoseconds since its start', { skip }, () => {
  const libc = loadLibc();
  assert.ok(libc !== undefined);
  const clock = createRealtimeClock(libc);
  const now = clock.nowNs();
  assert.ok(clock.nowNs() >= now);
  const { timeOrigin } = performance;
  const date = timeOrigin + performance.now();
  const seconds = Math.floor(date / 1000);
  assert.ok(Math.abs(clock.toNs(seconds, (date - seconds * 1000) * 1e6) - clock.nowNs()) < 1e9);
});

test('a tool runs in the C locale; its exit code is a result, its absence an error', async () => {
  const { exitCode, stdout } = await runTool('sh', ['-c', 'echo $LC_ALL; exit 3'], { timeoutMs: 5000 });
  assert.deepEqual([exitCode, stdout], [3, 'C\n']);
  await assert.rejects(runTool('nosuch-tool', [], { timeoutMs: 5000 }), { code: 'UNSUPPORTED' });
  await assert.rejects(runTool('sleep', ['5'], { timeoutMs: 50 }), { code: 'TIMEOUT' });
});
