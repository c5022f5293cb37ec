import {
  allocateNative,
  bindLibrary,
  type NativeMemory,
  readErrno,
  watchReadable,
  watchWritable,
} from './ffi.js';
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

const POLLFD_BYTES = 8;
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
  const state = allocateNative(POLLFD_BYTES);
  // Copies, because libuv polls the originals: a descriptor can be in its loop once.
  const socket = calls.fcntl(socketFd, F_DUPFD_CLOEXEC, 3);
  const pipe = calls.fcntl(pipeFd, F_DUPFD_CLOEXEC, 3);
  if (state === undefined || socket < 0 || pipe < 0) return undefined;
  return new Mover({ calls, state, socket, pipe, onBytes });
}

type Calls = NonNullable<ReturnType<typeof bindCalls>>;

interface MoverParts {
  readonly calls: Calls;
  /** A `struct pollfd`. */
  readonly state: NativeMemory;
  readonly socket: number;
  readonly pipe: number;
  readonly onBytes: (sizeBytes: number) => void;
}

class Mover implements Splice {
  readonly done: Promise<SpliceEnd>;

  private readonly parts: MoverParts;
  private resolveDone: (end: SpliceEnd) => void = () => {};
  private stopWatching: (() => void) | undefined;
  private isOver = false;
  private failures = 0;

  constructor(parts: MoverParts) {
    this.parts = parts;
    this.done = new Promise((resolve) => {
      this.resolveDone = resolve;
    });
    setImmediate(() => this.move());
  }

  stop(): void {
    this.finish('stopped');
  }

  private move(): void {
    if (this.isOver) return;
    const step = this.moveSome();
    if (step === 'wait') this.wait();
    else if (step === 'go-on') setImmediate(() => this.move());
    else this.finish(step);
  }

  /** How the splice ended, if it did, or whether it has to wait or may go on. */
  private moveSome(): SpliceEnd | 'wait' | 'go-on' {
    const { calls, socket, pipe, onBytes } = this.parts;
    for (let moved = 0; moved < TURN_BYTES; ) {
      const size = Number(calls.splice(socket, 0n, pipe, 0n, BigInt(PIPE_BYTES), SPLICE_F_MOVE_NONBLOCK));
      if (size > 0) {
        moved += size;
        this.failures = 0;
        onBytes(size);
        continue;
      }
      if (size === 0) return 'end';
      const errno = readErrno();
      if (errno === EPIPE) return 'reader-gone';
      if (errno === ECONNRESET) return 'reset';
      if (errno !== EINTR && !(this.isReady(socket, POLLIN) && this.isReady(pipe, POLLOUT))) return 'wait';
      // Both are ready and still nothing moves: the errno may be another call's, so it is tried some more.
      this.failures += 1;
      if (this.failures > MOST_FAILURES) return 'unable';
    }
    return 'go-on';
  }

  /** For whichever of the two is not ready. */
  private wait(): void {
    const { socket, pipe } = this.parts;
    const goOn = (): void => {
      this.stopWatching?.();
      this.stopWatching = undefined;
      this.move();
    };
    const isPipeFull = this.isReady(socket, POLLIN);
    this.stopWatching = isPipeFull ? watchWritable(pipe, goOn) : watchReadable(socket, goOn);
    // Without libuv's poll, look again soon.
    if (this.stopWatching === undefined) setTimeout(() => this.move(), 1);
  }

  private isReady(fd: number, events: number): boolean {
    const { calls, state } = this.parts;
    state.bytes.writeInt32LE(fd, 0);
    state.bytes.writeInt16LE(events, 4);
    return calls.poll(state.pointer, 1n, 0) > 0;
  }

  private finish(end: SpliceEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stopWatching?.();
    const { calls, state, socket, pipe } = this.parts;
    calls.close(socket);
    calls.close(pipe);
    state.free();
    this.resolveDone(end);
  }
}

function bindCalls() {
  return bindLibrary(null, {
    splice: { arguments: ['int32', 'uint64', 'int32', 'uint64', 'uint64', 'uint32'], return: 'int64' },
    fcntl: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    poll: { arguments: ['pointer', 'uint64', 'int32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
  });
}
