import type { OnReadOpts } from 'node:net';

const BUFFER_BYTES = 512 * 1024;

/**
 * Reads a socket into one buffer that is used again and again: no memory is allocated for what passes.
 * `onread` goes into the socket's options; it only works for plain sockets that connect, and that stay paused until
 * somebody takes the bytes.
 */
export interface SocketReader {
  readonly onread: OnReadOpts;
  /** Who takes the bytes, which are only lent; `false` pauses the socket until it is resumed. */
  onBytes(take: (bytes: Buffer) => boolean): void;
}

/** A {@link SocketReader} for one socket; several may share their memory, as each is done with it before the next. */
export function createSocketReader(memory: number | Buffer = BUFFER_BYTES): SocketReader {
  let deliver: (bytes: Buffer) => boolean = () => false;
  const buffer = typeof memory === 'number' ? Buffer.allocUnsafeSlow(memory) : memory;
  return {
    onread: { buffer, callback: (size) => deliver(buffer.subarray(0, size)) },
    onBytes(take) {
      deliver = take;
    },
  };
}
