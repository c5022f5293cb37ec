#!/usr/bin/env node
import { isSea } from 'node:sea';
import type { Io } from '../src/commands/context.js';
import { main } from '../src/commands/main.js';
import { NettoolError } from '../src/core/errors.js';

const stop = new AbortController();

/** The first signal asks the command to stop cleanly, a second one does not wait for it. */
function onSignal(reason: NettoolError, exitCode: number): () => void {
  return () => {
    if (stop.signal.aborted) process.exit(exitCode);
    stop.abort(reason);
  };
}
process.on('SIGINT', onSignal(new NettoolError('INTERRUPTED', 'interrupted'), 130));
process.on('SIGTERM', onSignal(new NettoolError('TERMINATED', 'terminated'), 143));

const { stdout, stderr, env, execPath, execArgv } = process;
// Node writes to a pipe and waits, deaf to signals and timers, until somebody reads. Ours are not to be waited for.
(stdout as { _handle?: { setBlocking?(on: boolean): void } })._handle?.setBlocking?.(false);
const script = isSea() ? [] : [...execArgv, ...process.argv.slice(1, 2)];
const io: Io = {
  get stdin() {
    return process.stdin;
  },
  stdout,
  stderr,
  env,
  cwd: process.cwd(),
  signal: stop.signal,
  self: [execPath, ...script],
  onSignal(name, listener) {
    process.on(name, listener);
    return () => process.off(name, listener);
  },
};
// No process.exit at once: what is still on its way to a slow pipe would be lost.
main(process.argv.slice(2), io).then((exitCode) => {
  process.exitCode = exitCode;
  // An application that ran here may end the process with another one.
  process.once('exit', () => {
    process.exitCode = exitCode;
  });
  leaveOpen();
});

/** Pools and intervals of an application that ran in this process keep nobody here once the command has ended. */
function leaveOpen(): void {
  setTimeout(() => {
    if (stdout.writableLength + stderr.writableLength === 0) process.exit();
    leaveOpen();
  }, 500).unref();
}
