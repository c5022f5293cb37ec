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

/** Failures in a row after which the bytes still in the socket are left to other means. */
const MOST_FAILURES = 64;

/** How a splice ended: the socket's FIN, the pipe's reader gone, the connection reset, stopped by us, or not possible. */
export type SpliceEnd = 'end' | 'reader-gone' | 'reset' | 'stopped' | 'unable';

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
  let failures = 0;

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
  /** How the splice ended, if it did, or whether it has to wait or may go on. */
  const moveSome = (): SpliceEnd | 'wait' | 'go-on' => {
    for (let moved = 0; moved < TURN_BYTES; ) {
      const size = Number(calls.splice(socket, 0n, pipe, 0n, BigInt(PIPE_BYTES), SPLICE_F_MOVE_NONBLOCK));
      if (size > 0) {
        moved += size;
        failures = 0;
        onBytes(size);
        continue;
      }
      if (size === 0) return 'end';
      const errno = readErrno();
      if (errno === EPIPE) return 'reader-gone';
      if (errno === ECONNRESET) return 'reset';
      if (errno !== EINTR && !(isReady(socket, POLLIN) && isReady(pipe, POLLOUT))) return 'wait';
      // Both are ready and still nothing moves: the errno may be another call's, so it is tried some more.
      failures += 1;
      if (failures > MOST_FAILURES) return 'unable';
    }
    return 'go-on';
  };
  const move = (): void => {
    if (ended) return;
    const step = moveSome();
    if (step === 'wait') wait();
    else if (step === 'go-on') setImmediate(move);
    else finish(step);
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
