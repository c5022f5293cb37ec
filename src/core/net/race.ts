import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { HostAddress } from './lookup.js';

/** RFC 8305, section 5: how long one attempt is waited for before the next begins beside it. */
const ATTEMPT_DELAY_MS = 250;

/** Reading ahead makes a large transfer a third faster than node's default of 64 KiB. */
const SOCKET = { noDelay: true, keepAlive: true, highWaterMark: 512 * 1024 } as const;

/** What is connected to, and until when. */
export interface RaceOptions {
  readonly addresses: readonly HostAddress[];
  readonly port: number;
  readonly signal: AbortSignal;
  /** How each attempt's socket is set up, beyond its address. */
  readonly socket?: Partial<TcpNetConnectOpts>;
  /** Nothing is read until the socket is resumed: its descriptor may be read by other means. */
  readonly paused?: boolean;
}

/**
 * Connects to whichever address answers first (happy eyeballs, RFC 8305): families alternate, attempts begin
 * 250 ms apart or as soon as one fails, and go on side by side. Fails with an `AggregateError` of every attempt.
 *
 * node's own `autoSelectFamily` gives an attempt up when the next begins, so a slow but living address is lost.
 */
export function connectFirst({ addresses, port, signal, ...setup }: RaceOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const waiting = alternateFamilies(addresses);
    const running = new Set<Socket>();
    const errors: NodeJS.ErrnoException[] = [];
    let timer: NodeJS.Timeout | undefined;

    const finish = (winner?: Socket): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      if (winner !== undefined) running.delete(winner);
      for (const loser of running) loser.destroy();
      running.clear();
      waiting.length = 0;
    };
    const onAbort = (): void => {
      finish();
      reject(signal.reason);
    };
    const attemptNext = (): void => {
      clearTimeout(timer);
      const next = waiting.shift();
      if (next === undefined) {
        if (running.size > 0) return;
        finish();
        reject(errors.length === 1 ? errors[0] : new AggregateError(refusedFirst(errors)));
        return;
      }
      const socket = connect({ ...SOCKET, ...setup.socket, host: next.address, port });
      if (setup.paused === true) socket.pause();
      running.add(socket);
      socket.once('connect', () => {
        finish(socket);
        resolve(socket);
      });
      // Stays for good: losers may still say that they broke, and the winner until its new owner listens.
      socket.on('error', (error) => {
        if (!running.delete(socket)) return;
        errors.push(error);
        attemptNext();
      });
      timer = setTimeout(attemptNext, ATTEMPT_DELAY_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    attemptNext();
  });
}

/** The first address leads; after it the families take turns. */
function alternateFamilies(addresses: readonly HostAddress[]): HostAddress[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const other = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const length = Math.max(first.length, other.length);
  return Array.from({ length }, (_, index) => [first[index], other[index]])
    .flat()
    .filter((address) => address !== undefined);
}

/** A refusal says more than a family this machine has no route for. */
function refusedFirst(errors: readonly NodeJS.ErrnoException[]): NodeJS.ErrnoException[] {
  const rank = (error: NodeJS.ErrnoException): number => (error.code === 'ECONNREFUSED' ? 0 : 1);
  return [...errors].sort((a, b) => rank(a) - rank(b));
}
