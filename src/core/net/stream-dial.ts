import { connect, type OnReadOpts, type Socket } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import { formatHostPort, parseHostPort } from './address.js';

/** Where a stream server listens: a TCP port, or a Unix socket. */
export type StreamAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** How a connection is made. */
export interface DialOptions {
  /** For looking up and connecting. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Memory to read into, and who takes what was read, instead of events. */
  readonly onRead?: OnReadOpts | undefined;
}

/** `host:port` or `unix:/path` as an address; undefined when it is neither. */
export function parseStreamAddress(text: string): StreamAddress | undefined {
  if (text.startsWith('unix:')) return text.length > 5 ? { path: text.slice(5) } : undefined;
  const parsed = parseHostPort(text);
  return parsed === undefined || parsed.port === 0 ? undefined : parsed;
}

/** An address as messages name it. */
export function formatStreamAddress(address: StreamAddress): string {
  return 'path' in address ? `unix:${address.path}` : formatHostPort(address.host, address.port);
}

/** Opens a connection, ready to be written to. */
export function dial(address: StreamAddress, options: DialOptions): Promise<Socket> {
  const { timeoutMs, signal, onRead } = options;
  return new Promise((resolve, reject) => {
    const socket = connect(onRead === undefined ? address : { ...address, onread: onRead });
    const doing = `cannot connect to ${formatStreamAddress(address)}`;
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
    };
    const fail = (reason: unknown): void => {
      settle();
      socket.on('error', () => {});
      socket.destroy();
      reject(reason);
    };
    const onError = (error: Error): void => fail(toNettoolError(error, doing));
    const onAbort = (): void => fail(signal?.reason);
    const timer = setTimeout(() => {
      fail(new NettoolError('TIMEOUT', `${doing} (timed out after ${timeoutMs / 1000} s)`));
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) return onAbort();
    socket.on('error', onError);
    socket.once('connect', () => {
      settle();
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}
