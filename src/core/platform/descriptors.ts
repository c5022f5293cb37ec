import { fstatSync, readFileSync } from 'node:fs';
import { allocateNative, bindLibrary } from './ffi.js';
import { platform } from './os.js';

const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const PIPE_BYTES = 2 ** 20;
const POLLHUP = 16;

/** How many descriptors this process may have open; `undefined` where that is not known. */
export function descriptorLimit(): number | undefined {
  if (platform !== 'linux') return undefined;
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** A second descriptor of the same open file or socket; `undefined` where that cannot be had. */
export function duplicateDescriptor(fd: number): number | undefined {
  const calls = platform === 'linux' ? bindCalls() : undefined;
  const copy = calls?.fcntl(fd, F_DUPFD_CLOEXEC, 3) ?? -1;
  return copy < 0 ? undefined : copy;
}

/** Lets a pipe hold more than 64 KiB, so that its two ends wait for each other less often. */
export function enlargePipe(fd: number): void {
  if (platform === 'linux') bindCalls()?.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

/** Closes a descriptor that is not Node's. */
export function closeDescriptor(fd: number): void {
  bindCalls()?.close(fd);
}

/** The descriptor of a stream that stands for a pipe of this process (its stdout, say); `undefined` for any other. */
export function pipeDescriptor(stream: object): number | undefined {
  const { fd } = stream as { fd?: unknown };
  if (typeof fd !== 'number') return undefined;
  try {
    return fstatSync(fd).isFIFO() ? fd : undefined;
  } catch {
    return undefined;
  }
}

/** Whether both directions of a Unix socket are over: its peer has closed it; `undefined` where that is not known. */
export function isHungUp(fd: number): boolean | undefined {
  const calls = platform === 'linux' ? bindCalls() : undefined;
  const state = allocateNative(8);
  if (calls === undefined || state === undefined) return undefined;
  state.bytes.writeInt32LE(fd, 0);
  calls.poll(state.pointer, 1n, 0);
  const hungUp = (state.bytes.readInt16LE(6) & POLLHUP) !== 0;
  state.free();
  return hungUp;
}

function bindCalls() {
  return bindLibrary(null, {
    // Variadic in C, which makes no difference on Linux.
    fcntl: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    poll: { arguments: ['pointer', 'uint64', 'int32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
  });
}
