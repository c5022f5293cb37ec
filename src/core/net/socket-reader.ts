import type { OnReadOpts, Socket } from 'node:net';
import { NettoolError } from '../errors.js';
import type { Sink } from './flow.js';

const BUFFER_BYTES = 256 * 1024;

/**
 * Reads a socket into one buffer that is used again and again: no memory is allocated for what passes.
 * `onread` goes into the socket's options; it only works for plain sockets that connect.
 */
export interface SocketReader {
  readonly onread: OnReadOpts;
  /** Everything that arrives, into a sink, to the peer's FIN. */
  receive(socket: Socket, sink: Sink): Promise<void>;
}

/** A {@link SocketReader} for one socket. */
export function createSocketReader(): SocketReader {
  let deliver: ((bytes: Buffer) => boolean) | undefined;
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  return {
    // Nothing is read before `receive` resumes the socket, so nothing can come without a place to go.
    onread: { buffer, callback: (size) => deliver?.(buffer.subarray(0, size)) ?? false },
    receive: (socket, sink) =>
      new Promise((resolve, reject) => {
        const fail = (error: unknown): void => {
          deliver = () => false;
          reject(error);
        };
        deliver = (bytes) => {
          const wait = sink(bytes);
          if (wait === undefined) return true;
          wait.then(() => void socket.resume(), fail);
          return false;
        };
        socket.once('end', resolve);
        socket.once('error', fail);
        socket.once('close', () => fail(new NettoolError('CONNECTION_BROKEN', 'the connection has ended')));
        socket.resume();
      }),
  };
}
