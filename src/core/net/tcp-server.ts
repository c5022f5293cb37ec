import type { Socket } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import { keepYoungHeapSmall } from '../platform/heap.js';
import { type Acceptor, startAcceptor } from './acceptor.js';
import { type AccessRules, createAccessCheck } from './access-list.js';
import { formatHostPort } from './address.js';
import { Connection } from './connection.js';
import type { Endpoint } from './dial.js';
import { drain } from './drain.js';
import { MOST_LENDING, withLentReads } from './lent-reads.js';
import type { Mode } from './modes/mode.js';
import { meter } from './progress.js';
import type { ListeningEvent, OnSocketEvent } from './socket-events.js';
import { fingerprintOf } from './tls.js';
import { describeTls } from './tls-facts.js';
import type { TlsAcceptor, TlsServerOptions } from './tls-server.js';

/** How long a peer that was told everything may go on talking before it is cut off. */
const LINGER_MS = 5000;

const EXHAUSTED = 'all file descriptors are in use: further connections wait';

/** A server of any {@link Mode}. */
export interface TcpServerOptions {
  readonly endpoint: Endpoint;
  readonly mode: Mode;
  readonly tls?: TlsServerOptions | undefined;
  readonly maxConnections?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
  /** Bytes per second, each direction of each connection. */
  readonly limitRate?: number | undefined;
  readonly checksum?: boolean | undefined;
  /** Reports how much moves, every second. */
  readonly progress?: boolean | undefined;
  /** One connection, then the end. */
  readonly once?: boolean | undefined;
  readonly access?: AccessRules | undefined;
  readonly onEvent: OnSocketEvent;
  readonly onSent?: ((connection: Connection, bytes: Buffer) => void) | undefined;
  /** Stops it: open connections get some seconds to finish. */
  readonly signal: AbortSignal;
}

/** What a server did in all. */
export interface ServerTotals {
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Serves until the signal (or, with `once`, until the one connection is over), and resolves when all is closed. */
export async function runTcpServer(options: TcpServerOptions): Promise<ServerTotals> {
  const { mode, signal } = options;
  const server = new Server(options);
  const meters = options.progress === true ? server.startMeter() : undefined;
  const stop = (): void => server.stop();
  try {
    await server.start();
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    await server.stopped;
    mode.finish?.();
    await drain(server.open);
  } finally {
    signal.removeEventListener('abort', stop);
    meters?.stop();
    await mode.close?.();
  }
  return server.totals;
}

/** The state of a server that runs. */
class Server {
  readonly open = new Set<Connection>();
  readonly totals = { connections: 0, bytesIn: 0, bytesOut: 0 };
  /** Resolves when no further connection will be accepted. */
  readonly stopped: Promise<void>;

  private readonly options: TcpServerOptions;
  private readonly isAllowed: ((address: string) => boolean) | undefined;
  private acceptor: Acceptor | undefined;
  private secure: TlsAcceptor | undefined;
  private resolveStopped: () => void = () => {};

  constructor(options: TcpServerOptions) {
    this.options = options;
    this.isAllowed = options.access && createAccessCheck(options.access);
    this.stopped = new Promise((resolve) => {
      this.resolveStopped = resolve;
    });
  }

  async start(): Promise<void> {
    const { endpoint, mode, tls, once, onEvent } = this.options;
    keepYoungHeapSmall();
    this.secure = tls && (await this.createSecure(tls));
    this.acceptor = await startAcceptor({
      endpoint,
      maxConnections: once === true ? 1 : this.options.maxConnections,
      descriptorsEach: mode.descriptorsEach ?? 1,
      onSocket: (socket) => this.onSocket(socket),
      onExhausted: () => onEvent({ type: 'warning', message: EXHAUSTED }),
    });
    onEvent(toListening(endpoint, this.acceptor, tls));
  }

  stop(): void {
    this.acceptor?.close();
    this.secure?.close();
    this.resolveStopped();
  }

  startMeter(): { stop(): void } {
    return meter(this.open, this.totals, this.options.onEvent);
  }

  private onSocket(socket: Socket): void {
    if (!this.mayEnter(socket)) {
      this.refuse(new NettoolError('PERMISSION', 'refused by --allow or --deny'), socket);
    } else if (this.secure === undefined) this.begin(socket);
    else this.secure.accept(socket);
  }

  /** A peer that has sent and reset before it was accepted has no address any more: no rule can let it in. */
  private mayEnter({ remoteAddress }: Socket): boolean {
    if (this.isAllowed === undefined) return true;
    const address = remoteAddress ?? ('path' in this.options.endpoint ? '' : undefined);
    return address !== undefined && this.isAllowed(address);
  }

  private refuse(error: NettoolError, socket: Socket): void {
    this.options.onEvent(failureEvent(socket, error));
    socket.destroy();
    this.acceptor?.release();
  }

  private begin(accepted: Socket): void {
    const { options, open, totals } = this;
    const socket = options.tls === undefined && open.size < MOST_LENDING ? withLentReads(accepted) : accepted;
    totals.connections += 1;
    // With `once` the second one is refused from now on, not left waiting.
    if (options.once === true) this.acceptor?.close();
    const { onSent } = options;
    const connection: Connection = new Connection(socket, {
      id: totals.connections,
      untouched: options.tls === undefined,
      idleTimeoutMs: options.idleTimeoutMs,
      limitRate: options.limitRate,
      checksum: options.checksum,
      onSent: onSent && ((bytes) => onSent(connection, bytes)),
    });
    open.add(connection);
    options.onEvent({ type: 'open', ...peerOf(connection), tls: describeTls(socket) });
    void serve(connection, options.mode, options.onEvent).then(() => this.finish(connection));
  }

  private finish(connection: Connection): void {
    const { options, open, totals } = this;
    open.delete(connection);
    totals.bytesIn += connection.bytesIn;
    totals.bytesOut += connection.bytesOut;
    options.onEvent(connection.closeEvent());
    this.acceptor?.release();
    if (options.once === true) this.stop();
  }

  /** Only who speaks TLS pays for loading it. */
  private async createSecure(tls: TlsServerOptions): Promise<TlsAcceptor> {
    const { createTlsAcceptor } = await import('./tls-server.js');
    return createTlsAcceptor(tls, {
      onSecure: (socket) => this.begin(socket),
      onFailure: (error, socket) => this.refuse(error, socket),
    });
  }
}

/** Everything a connection lives through; what goes wrong with it is told and goes no further. */
async function serve(connection: Connection, mode: Mode, onEvent: OnSocketEvent): Promise<void> {
  try {
    await mode.handle(connection);
    connection.end();
    if (!connection.peerEnded) await linger(connection);
  } catch (error) {
    const expected = connection.socket.destroyed && connection.error === undefined;
    if (!expected) onEvent(failureEvent(connection.socket, toNettoolError(error), connection));
    connection.destroy('reset');
  }
  await connection.closed;
}

/** A peer that is still talking is heard out for a while: closing on it would cost it what we sent (RFC 9112, 9.6). */
async function linger(connection: Connection): Promise<void> {
  const timer = setTimeout(() => connection.destroy('fin'), LINGER_MS);
  await connection.discard().catch(() => {});
  clearTimeout(timer);
}

function peerOf(connection: Connection): {
  id: number;
  remoteAddress: string | null;
  remotePort: number | null;
} {
  const { id, remoteAddress = null, remotePort = null } = connection;
  return { id, remoteAddress, remotePort };
}

function failureEvent(socket: Socket, { code, message }: NettoolError, connection?: Connection) {
  return {
    type: 'connection-error' as const,
    id: connection?.id ?? null,
    remoteAddress: connection?.remoteAddress ?? socket.remoteAddress ?? null,
    remotePort: connection?.remotePort ?? socket.remotePort ?? null,
    code,
    message,
  };
}

function toListening(
  endpoint: Endpoint,
  { address }: Acceptor,
  tls: TlsServerOptions | undefined,
): ListeningEvent {
  const fingerprint = tls === undefined ? {} : { fingerprint: fingerprintOf(tls.identity.cert) };
  if ('path' in endpoint || address === undefined) {
    const path = 'path' in endpoint ? endpoint.path : '';
    return { type: 'listening', path, url: `unix:${path}`, ...fingerprint };
  }
  const { host, port } = address;
  const scheme = tls === undefined ? 'tcp' : 'tls';
  return { type: 'listening', host, port, url: `${scheme}://${formatHostPort(host, port)}`, ...fingerprint };
}
