import type { Socket } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import { lookup } from './lookup.js';
import { connectFirst } from './race.js';
import type { TlsClientOptions } from './tls-client.js';

/** Where a connection goes, and how long it may take. */
export interface ConnectOptions {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly family?: 4 | 6 | undefined;
  /** For looking up, connecting and the TLS handshake together; 0 waits for ever. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Speak TLS. */
  readonly tls?: TlsClientOptions | undefined;
}

/** An open connection. */
export interface Connection {
  readonly socket: Socket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly timings: ConnectTimings;
}

/** When each step was done, in milliseconds from the start of the connection. */
export interface ConnectTimings {
  readonly dnsMs: number;
  readonly connectMs: number;
  /** `null` without TLS. */
  readonly tlsMs: number | null;
}

/** Looks the host up, connects to the first of its addresses that answers, and speaks TLS when asked to. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { host, port, timeoutMs } = options;
  const startedAt = performance.now();
  const elapsedMs = (): number => performance.now() - startedAt;
  const name = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const deadline = new AbortController();
  const timer = startDeadline(deadline, `cannot connect to ${name}`, timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline.signal]);
  try {
    signal.throwIfAborted();
    const addresses = await lookup(host, { family: options.family, signal });
    const dnsMs = elapsedMs();
    let socket = await connectFirst({ addresses, port, signal });
    const connectMs = elapsedMs();
    const { remoteAddress = '', remotePort = port } = socket;
    if (options.tls !== undefined) {
      // Only who speaks TLS pays for loading it.
      const { startTls } = await import('./tls-client.js');
      socket = await startTls(socket, { host, name, signal }, options.tls);
    }
    const tlsMs = options.tls === undefined ? null : elapsedMs();
    return { socket, remoteAddress, remotePort, timings: { dnsMs, connectMs, tlsMs } };
  } catch (error) {
    if (signal.aborted) throw toNettoolError(signal.reason);
    throw toNettoolError(error, `cannot connect to ${name}`);
  } finally {
    clearTimeout(timer);
  }
}

function startDeadline(
  deadline: AbortController,
  doing: string,
  timeoutMs: number,
): NodeJS.Timeout | undefined {
  if (timeoutMs === 0) return undefined;
  return setTimeout(() => {
    deadline.abort(new NettoolError('TIMEOUT', `${doing} (timed out after ${timeoutMs / 1000} s)`));
  }, timeoutMs);
}
