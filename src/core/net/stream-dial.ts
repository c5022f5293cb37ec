import { connect, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { NettoolError, toNettoolError } from '../errors.js';
import { formatHostPort, parseHostPort } from './address.js';

/** Where a stream server listens: a TCP port, or a Unix socket. */
export type StreamAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** How a connection is made. */
export interface DialOptions {
  /** For everything: looking up, connecting, the TLS handshake. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Speak TLS; the certificate has to be for this name, and its issuer one of the system's or of `ca`. */
  readonly tls?: DialTlsOptions | undefined;
  /** Memory to read into, and who takes what was read, instead of events; without TLS. */
  readonly onRead?: OnReadOpts | undefined;
}

/** How TLS is spoken. */
export interface DialTlsOptions {
  readonly serverName: string;
  readonly ca?: string | undefined;
  readonly insecure?: boolean | undefined;
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
  const { timeoutMs, signal, tls, onRead } = options;
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? connect(onRead === undefined ? address : { ...address, onread: onRead })
        : connectTls({ ...address, ...tlsOptions(tls) });
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
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      settle();
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function tlsOptions({ serverName, ca, insecure }: DialTlsOptions) {
  return {
    host: serverName,
    // SNI carries names only (RFC 6066, section 3).
    servername: isIP(serverName) === 0 ? serverName : '',
    rejectUnauthorized: insecure !== true,
    ALPNProtocols: ['http/1.1'],
    ...(ca === undefined ? {} : { ca }),
  };
}
