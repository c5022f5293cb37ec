import { allocateNative, bindLibrary, readErrno, watchReadable, watchWritable } from './ffi.js';
import { platform } from './os.js';

/** Constants of Linux, the same on every machine type Node runs on. */
const SPLICE_F_MOVE_NONBLOCK = 1 | 2;
const F_SETPIPE_SZ = 1031;
const F_DUPFD_CLOEXEC = 1030;
const POLLIN = 1;
const POLLOUT = 4;
const EINTR = 4;
const EPIPE = 32;
const ECONNRESET = 104;

const PIPE_BYTES = 2 ** 20;

/** Moved in one turn of the event loop, so that timers and signals get theirs. */
const TURN_BYTES = 4 * 2 ** 20;

/** How a splice ended: the socket's FIN, the pipe's reader gone, the connection reset, or stopped by us. */
export type SpliceEnd = 'end' | 'reader-gone' | 'reset' | 'stopped';

/** Bytes on their way from a socket to a pipe without passing through this process. */
export interface Splice {
  readonly done: Promise<SpliceEnd>;
  stop(): void;
}

/**
 * Moves everything a socket receives into a pipe by splice(2); nobody else may read the socket meanwhile.
 * `undefined` where that cannot be done: another system, no FFI, or `pipeFd` is not a pipe.
 */
export function spliceToPipe(
  socketFd: number,
  pipeFd: number,
  onBytes: (sizeBytes: number) => void,
): Splice | undefined {
  const calls = platform === 'linux' ? bindCalls() : undefined;
  if (calls === undefined || calls.fcntl(pipeFd, F_SETPIPE_SZ, PIPE_BYTES) < 0) return undefined;
  const state = allocateNative(16);
  // Copies, because libuv polls the originals: a descriptor can be in its loop once.
  const socket = calls.fcntl(socketFd, F_DUPFD_CLOEXEC, 3);
  const pipe = calls.fcntl(pipeFd, F_DUPFD_CLOEXEC, 3);
  if (state === undefined || socket < 0 || pipe < 0) return undefined;
  const { promise, resolve } = Promise.withResolvers<SpliceEnd>();
  let stopWatching: (() => void) | undefined;
  let ended = false;

  const finish = (end: SpliceEnd): void => {
    if (ended) return;
    ended = true;
    stopWatching?.();
    calls.close(socket);
    calls.close(pipe);
    state.free();
    resolve(end);
  };
  const isReady = (fd: number, events: number): boolean => {
    state.bytes.writeInt32LE(fd, 0);
    state.bytes.writeInt16LE(events, 4);
    return calls.poll(state.pointer, 1n, 0) > 0;
  };
  const wait = (): void => {
    const watch = isReady(socket, POLLIN) ? watchWritable : watchReadable;
    stopWatching = watch(watch === watchReadable ? socket : pipe, () => {
      stopWatching?.();
      stopWatching = undefined;
      move();
    });
    // Without libuv's poll, look again soon.
    if (stopWatching === undefined) setTimeout(move, 1);
  };
  const move = (): void => {
    for (let moved = 0; !ended && moved < TURN_BYTES; ) {
      const size = Number(calls.splice(socket, 0n, pipe, 0n, BigInt(PIPE_BYTES), SPLICE_F_MOVE_NONBLOCK));
      if (size > 0) {
        moved += size;
        onBytes(size);
        continue;
      }
      if (size === 0) return finish('end');
      const errno = readErrno();
      if (errno === EPIPE) return finish('reader-gone');
      if (errno === ECONNRESET) return finish('reset');
      if (errno !== EINTR && !(isReady(socket, POLLIN) && isReady(pipe, POLLOUT))) return wait();
    }
    if (!ended) setImmediate(move);
  };
  setImmediate(move);
  return { done: promise, stop: () => finish('stopped') };
}

function bindCalls() {
  return bindLibrary(null, {
    splice: { arguments: ['int32', 'uint64', 'int32', 'uint64', 'uint64', 'uint32'], return: 'int64' },
    fcntl: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    poll: { arguments: ['pointer', 'uint64', 'int32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
  });
}
