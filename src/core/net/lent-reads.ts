import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';

const BUFFER_BYTES = 256 * 1024;

/** So many sockets of a server get a buffer each; where there are more, none of them carries much. */
export const MOST_LENDING = 32;

/**
 * Options for a socket that reads into one buffer again and again, so that what passes allocates no memory: its 'data'
 * events only lend their bytes. It has to stay paused until somebody listens.
 */
export function lentReads(): OnReadOpts {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  return {
    buffer,
    // Node calls it as a method of the socket that was read.
    callback(this: Socket, size: number) {
      this.emit('data', buffer.subarray(0, size));
      return !this.isPaused();
    },
  };
}

/**
 * The same connection as a new, paused socket with {@link lentReads}, which node has no option for when it accepts
 * one. Nothing may have been read of it yet; the old socket is of no use any more. A socket that cannot be taken over
 * so (node's inner workings differ) comes back as it is.
 */
export function withLentReads(socket: Socket): Socket {
  const old = socket as unknown as { _handle: { reading: boolean; readStop(): number } | null };
  const handle = old._handle;
  if (typeof handle?.readStop !== 'function' || socket.readableLength > 0) return socket;
  if (handle.reading) handle.readStop();
  handle.reading = false;
  old._handle = null;
  socket.destroy();
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true, onread: lentReads() };
  return new Socket(options as unknown as SocketConstructorOpts);
}
