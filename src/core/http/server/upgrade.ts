import type { Socket } from 'node:net';
import type { Exchange } from './exchange.js';
import type { Head } from './parse-head.js';

/**
 * A client that has vanished, or has closed its connection while the other end goes on, is found out by its system,
 * which knows nothing of the connection: no time-out holds for what may be silent for hours.
 */
const KEEP_ALIVE_MS = 60_000;

/** Whether a request asks for another protocol (RFC 9110, section 7.8). HTTP/2 and TLS do not begin so here. */
export function wantsUpgrade(head: Head): boolean {
  const { upgrade, connection } = head.fields;
  // A request with a body is answered first.
  if (upgrade === undefined || head.version !== '1.1' || head.length !== 0) return false;
  const options = connection.split(',').map((option) => option.trim());
  return options.includes('upgrade') && !/^(?:h2c?|tls\/.*)$/.test(upgrade);
}

/**
 * Lets the handler have the socket. What it answers instead, if it declines, is sent as usual, for which `takeBack`
 * tells whether the connection is still there.
 */
export function handOver(exchange: Exchange, socket: Socket, head: Buffer, takeBack: () => boolean): void {
  const { handler } = exchange.origin.context;
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  // As if nobody had read from it yet.
  Object.assign(socket, { readableFlowing: null });
  Promise.resolve(handler.upgrade?.(exchange.request, socket, head)).then(
    (response) => {
      if (typeof response === 'object' && takeBack()) exchange.answer(response);
    },
    (error: unknown) => {
      if (takeBack()) exchange.fail(error);
    },
  );
}
