import { isIP, type Socket } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import { formatHostPort } from './address.js';
import { type HostAddress, lookup } from './lookup.js';
import type { ProxyAddress } from './proxy-address.js';
import { connectFirst } from './race.js';
import type { SocketReader } from './socket-reader.js';
import type { TlsClientOptions } from './tls-client.js';

/** Where a connection goes, how, and how long it may take. */
export interface ConnectOptions extends ConnectPath {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** For looking up, connecting, the proxy and the TLS handshake together; 0 waits for ever. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Speak TLS. */
  readonly tls?: TlsClientOptions | undefined;
  /** Reads a plain socket into one lent buffer. */
  readonly reader?: SocketReader | undefined;
}

/** Which way a connection takes. */
export interface ConnectPath {
  readonly family?: 4 | 6 | undefined;
  /** Go through a proxy; `tunnel` asks it for a connection, else the proxy itself is the peer. */
  readonly proxy?: ProxyPath | undefined;
  /** A Unix socket instead of a TCP address. */
  readonly socketPath?: string | undefined;
  /** Addresses to take instead of looking them up, by `host:port`. */
  readonly resolve?: ReadonlyMap<string, readonly HostAddress[]> | undefined;
  /** The address to connect from. */
  readonly localAddress?: string | undefined;
}

/** A proxy on the way, and how TLS is spoken to itself. */
export interface ProxyPath {
  readonly address: ProxyAddress;
  readonly tunnel: boolean;
  readonly tls?: TlsClientOptions | undefined;
}

/** An open connection. */
export interface Connection {
  readonly socket: Socket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly timings: ConnectTimings;
  /** What reads the socket, when bytes are lent. */
  readonly reader?: SocketReader | undefined;
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
  const name = options.socketPath ?? formatHostPort(host, port);
  const proxy = options.proxy?.address;
  const via = proxy === undefined ? '' : ` through the proxy ${formatHostPort(proxy.host, proxy.port)}`;
  const doing = `cannot connect to ${name}${via}`;
  const deadline = new AbortController();
  const timer = startDeadline(deadline, doing, timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline.signal]);
  try {
    signal.throwIfAborted();
    return await open({ ...options, signal }, name);
  } catch (error) {
    if (signal.aborted) throw toNettoolError(signal.reason);
    if (!isUnknownIssuer(error, options)) throw toNettoolError(error, doing);
    // Loading what the system trusts takes longer than a whole request, so only who needs it pays for it.
    const { systemAuthorities } = await import('./system-authorities.js');
    const ca = systemAuthorities();
    const tls = options.tls && { ...options.tls, ca };
    const proxy = options.proxy && { ...options.proxy, tls: { ...options.proxy.tls, ca } };
    return await open({ ...options, signal, tls, proxy }, name).catch((second) => {
      throw toNettoolError(signal.aborted ? signal.reason : second, doing);
    });
  } finally {
    clearTimeout(timer);
  }
}

async function open(options: ConnectOptions, name: string): Promise<Connection> {
  const startedAt = performance.now();
  const elapsedMs = (): number => performance.now() - startedAt;
  const { port, signal, tls, reader } = options;
  const { socket: plain, dnsMs } = await openSocket(options, elapsedMs);
  const connectMs = elapsedMs();
  const { remoteAddress = options.socketPath ?? '', remotePort = port } = plain;
  const steps = { dnsMs, connectMs, tlsMs: null };
  if (tls === undefined) return { socket: plain, remoteAddress, remotePort, timings: steps, reader };
  // Only who speaks TLS pays for loading it.
  const { startTls } = await import('./tls-client.js');
  const socket = await startTls(plain, { host: options.host, name, signal }, tls);
  return { socket, remoteAddress, remotePort, timings: { ...steps, tlsMs: elapsedMs() } };
}

async function openSocket(
  options: ConnectOptions,
  elapsedMs: () => number,
): Promise<{ socket: Socket; dnsMs: number }> {
  const { host, port, proxy, socketPath, signal, localAddress, reader } = options;
  const setup = {
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(reader === undefined ? {} : { onread: reader.onread }),
  };
  const paused = reader !== undefined;
  if (socketPath !== undefined) {
    const { connectPath } = await import('./unix-connect.js');
    return { socket: await connectPath(socketPath, setup, signal, paused), dnsMs: elapsedMs() };
  }
  const next = proxy?.address ?? { host, port };
  const addresses = await findAddresses(options, next);
  const dnsMs = elapsedMs();
  const socket = await connectFirst({ addresses, port: next.port, signal, paused, socket: setup });
  if (proxy === undefined) return { socket, dnsMs };
  const { goThrough } = await import('./proxy-tunnel.js');
  return { socket: await goThrough(socket, proxy, options), dnsMs };
}

function findAddresses(options: ConnectOptions, { host, port }: { host: string; port: number }) {
  const { resolve, localAddress, signal } = options;
  const given = resolve?.get(formatHostPort(host.toLowerCase(), port)) ?? resolve?.get(`*:${port}`);
  const family = localAddress === undefined ? options.family : (isIP(localAddress) as 4 | 6);
  return given === undefined ? lookup(host, { family, signal }) : Promise.resolve(given);
}

/** Whether the authorities of the system may know what the built-in ones do not. */
function isUnknownIssuer(error: unknown, { tls, proxy }: ConnectOptions): boolean {
  if (!(error instanceof NettoolError) || error.code !== 'TLS_CERTIFICATE') return false;
  if ((tls ?? proxy?.tls)?.ca !== undefined) return false;
  return /SELF_SIGNED_CERT|UNABLE_TO/.test(String(error.cause));
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
