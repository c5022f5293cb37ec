import { connect, type NetConnectOpts, type Socket } from 'node:net';

/** Connects to a Unix socket. */
export function connectPath(
  path: string,
  setup: Partial<NetConnectOpts>,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...setup, path } as NetConnectOpts);
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
