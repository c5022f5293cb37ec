import { isHungUp } from '../platform/descriptors.js';
import type { Connection } from './connection.js';
import { isPeerClosed } from './tcp-table.js';

/** How often a peer that has ended its side is looked at. */
const LOOK_MS = 150;

/** A gone peer on another machine is found out by a keep-alive: its system no longer knows the connection. */
const KEEP_ALIVE_MS = 10_000;

/** Whether a peer that sent FIN has gone altogether: `undefined` when this machine cannot know. */
export function isGone({ socket }: Connection): boolean | undefined {
  if (socket.destroyed) return true;
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (localAddress && localPort && remoteAddress && remotePort) {
    return isPeerClosed({ localAddress, localPort, remoteAddress, remotePort });
  }
  const fd = (socket as { _handle?: { fd?: unknown } })._handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? isHungUp(fd) : undefined;
}

/**
 * After the peer's FIN: resolves when there is no one left to send to, or the connection is closed. TCP does not tell
 * "I have said all" from "I am gone", so this machine's own table is asked, and keep-alives ask the other's.
 */
export function peerGone(connection: Connection, signal?: AbortSignal): Promise<void> {
  connection.socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return new Promise((resolve) => {
    const finish = (): void => {
      clearInterval(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setInterval(() => {
      if (isGone(connection) === true) finish();
    }, LOOK_MS);
    connection.closed.then(finish);
    signal?.addEventListener('abort', finish, { once: true });
    if (signal?.aborted === true) finish();
  });
}
