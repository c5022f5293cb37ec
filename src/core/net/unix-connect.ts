import { connect, type NetConnectOpts, type Socket } from 'node:net';

/** Connects to a Unix socket; of one that is `paused` nothing is read until it is resumed. */
export function connectPath(
  path: string,
  setup: Partial<NetConnectOpts>,
  signal: AbortSignal,
  paused: boolean,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...setup, path } as NetConnectOpts);
    if (paused) socket.pause();
    const onAbort = (): void => void socket.destroy(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays for good, as the new owner may not listen yet.
    socket.on('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      resolve(socket);
    });
  });
}
