import { isIP, type Socket } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import { formatHostPort } from './address.js';
import { lentReads } from './lent-reads.js';
import { lookup } from './lookup.js';
import type { ProxyServer } from './proxy.js';
import { connectFirst } from './race.js';
import type { TlsClientOptions } from './tls-client.js';
import { connectPath } from './unix-connect.js';

/** A TCP address or a Unix socket. */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string };

/** Where and how to connect. */
export interface DialOptions {
  readonly endpoint: Endpoint;
  readonly family?: 4 | 6 | undefined;
  /** The address, and maybe the port, to connect from. */
  readonly source?: { readonly host: string; readonly port?: number } | undefined;
  readonly proxy?: ProxyServer | undefined;
  readonly tls?: TlsClientOptions | undefined;
  /** For everything together; 0 waits for ever. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Reads into one reused buffer, where that can be done: 'data' events only lend their bytes. */
  readonly fast?: boolean;
}

/** A socket that is connected and paused, nothing of it read. */
export interface Dialed {
  readonly socket: Socket;
  /** No byte has been read, and none is encrypted: its descriptor may be used directly. */
  readonly untouched: boolean;
}

/** An endpoint as people call it. */
export function formatEndpoint(endpoint: Endpoint): string {
  return 'path' in endpoint ? endpoint.path : formatHostPort(endpoint.host, endpoint.port);
}

/** Connects: looks up, tries every address, goes through the proxy and the TLS handshake as asked. */
export async function dial(options: DialOptions): Promise<Dialed> {
  const { endpoint, timeoutMs, tls, proxy } = options;
  const doing = `cannot connect to ${formatEndpoint(endpoint)}`;
  const deadline = new AbortController();
  const timer = setTimeout(
    () => {
      deadline.abort(new NettoolError('TIMEOUT', `${doing} (timed out after ${timeoutMs / 1000} s)`));
    },
    timeoutMs || 2 ** 31 - 1,
  );
  const signal = AbortSignal.any([options.signal, deadline.signal]);
  const plain = tls === undefined && proxy === undefined;
  try {
    signal.throwIfAborted();
    let socket = await openSocket(options, signal);
    if (tls !== undefined) socket = await secure(socket, options, tls, signal);
    return { socket, untouched: plain };
  } catch (error) {
    if (signal.aborted) throw toNettoolError(signal.reason);
    throw toNettoolError(error, doing);
  } finally {
    clearTimeout(timer);
  }
}

async function openSocket(options: DialOptions, signal: AbortSignal): Promise<Socket> {
  const { endpoint, proxy, tls } = options;
  const lends = options.fast === true && proxy === undefined && tls === undefined;
  const setup = { allowHalfOpen: true, ...(lends && { onread: lentReads() }) };
  if ('path' in endpoint) return connectPath(endpoint.path, setup, signal, true);
  const next = proxy ?? endpoint;
  const addresses = await lookup(next.host, { family: sourceFamily(options), signal });
  const { source } = options;
  const connecting = connectFirst({
    addresses,
    port: next.port,
    signal,
    paused: true,
    socket: {
      ...setup,
      ...(source && { localAddress: source.host }),
      ...(source?.port && { localPort: source.port }),
    },
  });
  if (proxy === undefined) return refuseItself(await connecting);
  const socket = await connecting.catch((error) => {
    throw toNettoolError(error, `cannot connect to the proxy ${formatHostPort(proxy.host, proxy.port)}`);
  });
  // Only who goes through a proxy pays for loading it.
  const { openTunnel } = await import('./proxy.js');
  const host = proxy.resolvesNames ? endpoint.host : (await lookup(endpoint.host, { signal }))[0]?.address;
  await openTunnel(socket, proxy, { host: host ?? endpoint.host, port: endpoint.port }, signal);
  return socket;
}

/** An address to connect from decides which addresses can be connected to. */
function sourceFamily({ source, family }: DialOptions): 4 | 6 | undefined {
  const bound = isIP(source?.host ?? '');
  return bound === 0 ? family : (bound as 4 | 6);
}

/** On loopback a socket that was given the very port it tries is connected to itself: nobody listens there. */
function refuseItself(socket: Socket): Socket {
  if (socket.localPort !== socket.remotePort || socket.localAddress !== socket.remoteAddress) return socket;
  socket.destroy();
  throw Object.assign(new Error('connected to itself'), { code: 'ECONNREFUSED' });
}

async function secure(
  socket: Socket,
  { endpoint }: DialOptions,
  tls: TlsClientOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const { startTls } = await import('./tls-client.js');
  const host = 'path' in endpoint ? 'localhost' : endpoint.host;
  const secured = await startTls(socket, { host, name: formatEndpoint(endpoint), signal }, tls);
  secured.pause();
  return secured;
}
