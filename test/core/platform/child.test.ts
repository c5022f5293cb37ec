import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { describeExit, startChild, stopChild } from '../../../src/core/platform/child.js';
import { hasFfi } from '../../../src/core/platform/ffi.js';
import { platform } from '../../../src/core/platform/os.js';

/** Elsewhere sockets do as well, or nothing else can be had. */
const needsPipes = platform === 'linux' && hasFfi() ? {} : { skip: 'needs pipe2' };

/** Whether a process runs; one that is dead and not yet reaped does not. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

const sh = (script: string, onLine: (line: string, stream: string) => void = () => {}, channels = 0) =>
  startChild('/bin/sh', ['-c', script], { onLine, channels });

test('lines of both streams are delivered, the last one without its end too', async () => {
  const lines: string[] = [];
  const child = sh("printf 'one\\ntwo\\r\\nrest'; echo err >&2", (line, stream) =>
    lines.push(`${stream}: ${line}`),
  );
  assert.deepEqual(await child.exited, { code: 0, signal: null });
  assert.deepEqual(
    lines.filter((line) => line.startsWith('stdout')),
    ['stdout: one', 'stdout: two', 'stdout: rest'],
  );
  assert.ok(lines.includes('stderr: err'));
});

test('a line without end is delivered in pieces', async () => {
  const lines: string[] = [];
  await sh('head -c 200000 /dev/zero | tr "\\0" x', (line) => lines.push(line)).exited;
  assert.equal(lines.join('').length, 200_000);
  assert.ok(lines.length > 1);
});

test(
  'what it writes to its streams by their names arrives too, a log file named so among it',
  needsPipes,
  async () => {
    const lines: string[] = [];
    const child = sh('echo out > /dev/stdout; echo err > /dev/stderr', (line, stream) =>
      lines.push(`${stream}: ${line}`),
    );
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.deepEqual(lines.sort(), ['stderr: err', 'stdout: out']);
  },
);

test('channels are two-way streams on descriptor 3 and on', async () => {
  const child = sh('read -r word <&3; echo "got $word" >&4', () => {}, 2);
  child.channels[0]?.write('hello\n');
  const [data] = await once(child.channels[1] as NodeJS.ReadableStream as never, 'data');
  assert.equal(String(data), 'got hello\n');
  await child.exited;
});

test('a program that is not there is an exit with its error', async () => {
  const exit = await startChild('/no/such/program', [], { onLine: () => {} }).exited;
  assert.match(describeExit(exit), /ENOENT/);
});

test('stopping asks first and then ends the whole group', async () => {
  const lines: string[] = [];
  const ready = Promise.withResolvers<void>();
  const child = sh("trap '' TERM; sleep 60 & echo $!; wait; sleep 60", (line) => {
    lines.push(line);
    ready.resolve();
  });
  await ready.promise;
  const exit = await stopChild(child, { graceMs: 100 });
  assert.equal(exit.signal, 'SIGKILL');
  assert.ok(!isRunning(Number(lines[0])), 'its own child is gone too');
});

test('what a child has left behind goes with it', async () => {
  let pid = 0;
  const child = sh('sleep 60 >/dev/null 2>&1 & echo $!', (line) => {
    pid = Number(line);
  });
  await child.exited;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(pid > 0 && !isRunning(pid));
});

test('a child that ends within its grace is not killed', async () => {
  const ready = Promise.withResolvers<void>();
  const child = sh("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done", () => ready.resolve());
  await ready.promise;
  assert.equal((await stopChild(child, { graceMs: 5000 })).code, 4);
});

test('a Node child speaks by messages', async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const script = "process.on('message', (text) => { process.send('heard ' + text); process.disconnect(); })";
  const child = startChild(process.execPath, ['-e', script], {
    ipc: true,
    onLine: () => {},
    onMessage: resolve,
  });
  child.send('you');
  assert.equal(await promise, 'heard you');
  await child.exited;
});
