import { allocateNative, bindLibrary, watchWritable } from './ffi.js';
import { platform } from './os.js';

/** A socket that files are sent to by `sendfile(2)`, past this process. */
export interface SendfileSocket {
  /** How many bytes went from a file to the socket; 0 at the file's end, -1 when none could. */
  send(file: number, offset: number, length: number): number;
  /** Calls back once when the socket takes bytes again; false when nobody can tell. */
  whenWritable(callback: () => void): boolean;
  close(): void;
}

const F_DUPFD_CLOEXEC = 1030;

let calls: ReturnType<typeof bindCalls> | null;

/** The system's sendfile to a socket, until it is closed; undefined where there is none to call. */
export function openSendfile(socket: number): SendfileSocket | undefined {
  if (calls === undefined) calls = bindCalls() ?? null;
  if (calls === null) return undefined;
  const { libc, place } = calls;
  // A copy: libuv polls the original, and a descriptor can be in its loop once; and nobody else can close this one.
  const copy = libc.fcntl(socket, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return undefined;
  let stopWatching: (() => void) | undefined;
  const stop = (): void => {
    stopWatching?.();
    stopWatching = undefined;
  };
  return {
    send(file, offset, length) {
      place.bytes.writeBigInt64LE(BigInt(offset));
      return Number(libc.sendfile(copy, file, place.pointer, BigInt(length)));
    },
    whenWritable(callback) {
      stopWatching = watchWritable(copy, () => {
        stop();
        callback();
      });
      return stopWatching !== undefined;
    },
    close() {
      stop();
      libc.close(copy);
    },
  };
}

function bindCalls() {
  if (platform !== 'linux') return undefined;
  const libc = bindLibrary(null, {
    sendfile: { arguments: ['int32', 'int32', 'pointer', 'uint64'], return: 'int64' },
    fcntl: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
  });
  // The kernel reads the offset from memory, which must neither move nor be collected.
  const place = libc === undefined ? undefined : allocateNative(8);
  return libc === undefined || place === undefined ? undefined : { libc, place };
}
