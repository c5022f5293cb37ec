import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { bindLibrary } from './ffi.js';
import { platform } from './os.js';

/** A pipe between us and a child that is about to be started. */
export interface ChildPipe {
  readonly ours: Socket;
  /** The descriptor for the child; {@link letGo} of it once the child has it. */
  readonly theirs: number;
  letGo(): void;
}

const LIBC = { pipe2: { arguments: ['buffer', 'int32'], return: 'int32' } } as const;
/** No other child inherits our end, which would keep the pipe open. */
const O_CLOEXEC = 0x80000;

/**
 * A pipe for what a child reads (`in`) or writes (`out`). What Node gives to children are sockets, and Linux opens no
 * socket by a name: `echo oops > /dev/stderr` and a log file called `/dev/stdout` would fail. `undefined` where that is
 * no matter, or where it cannot be helped.
 */
export function openPipe(direction: 'in' | 'out'): ChildPipe | undefined {
  if (platform !== 'linux') return undefined;
  const ends = Buffer.alloc(8);
  if (bindLibrary(null, LIBC)?.pipe2(ends, O_CLOEXEC) !== 0) return undefined;
  const [readEnd, writeEnd] = [ends.readInt32LE(0), ends.readInt32LE(4)];
  const isIn = direction === 'in';
  const theirs = isIn ? readEnd : writeEnd;
  return {
    ours: new Socket({ fd: isIn ? writeEnd : readEnd, readable: !isIn, writable: isIn }),
    theirs,
    letGo: () => closeSync(theirs),
  };
}

/** Starts a child that gets the other ends of pipes, and lets go of them; of both ends when it cannot be started. */
export function handOver<Started>(pipes: readonly (ChildPipe | undefined)[], start: () => Started): Started {
  try {
    return start();
  } catch (error) {
    for (const pipe of pipes) pipe?.ours.destroy();
    throw error;
  } finally {
    for (const pipe of pipes) pipe?.letGo();
  }
}
