import type { Socket } from 'node:net';
import type { IncomingRequest, ServiceNote } from './messages.js';

/** What a server says while it runs; plain data, units in the names, times in ISO 8601 UTC. */
export type ServerEvent = ListeningEvent | RequestEvent | ConnectionEvent | ClosedEvent;

/** The socket is bound and accepts connections. */
export interface ListeningEvent {
  readonly type: 'listening';
  /** Where it answers, ready to be opened: `http://127.0.0.1:8000/`; `unix:/path` for a Unix socket. */
  readonly url: string;
  /** Every URL it can be reached at: for a wildcard address one per address of this machine. */
  readonly urls: readonly string[];
  readonly host: string;
  /** 0 for a Unix socket. */
  readonly port: number;
  /** The Unix socket's file. */
  readonly path?: string;
  /** For those who run the server, not for those it serves. */
  readonly admin?: true;
}

/** A request is over. */
export interface RequestEvent extends Omit<ServiceNote, 'queueMs' | 'tally'> {
  readonly type: 'request';
  readonly time: string;
  readonly method: string;
  readonly target: string;
  readonly scheme: 'http' | 'https';
  readonly httpVersion: string;
  readonly status: number;
  /** Bytes of the body that were sent. */
  readonly bytes: number;
  /** Bytes of the body that were received. */
  readonly bytesIn: number;
  /** From the first byte read of the request to the last byte handed to the system. */
  readonly durationMs: number;
  /**
   * Of these: waiting, behind the request before it and for a free worker; in the handler, from then until it had an
   * answer; and sending.
   */
  readonly queueMs: number;
  readonly handlerMs: number;
  readonly sendMs: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly host: string | null;
  readonly userAgent: string | null;
  readonly referer: string | null;
  /** The client left, or the answer could not be completed. */
  readonly aborted?: boolean;
  /** Why a 4xx was answered by the server itself, or a 5xx: for the log only. */
  readonly error?: string;
}

/** Why a connection ended. */
export type CloseReason =
  /** The client closed it, or asked for it with `Connection: close`. */
  | 'client'
  /** It was idle, or too slow. */
  | 'timeout'
  /** A request on it was refused. */
  | 'refused'
  /** The answer could not be completed. */
  | 'error'
  /** The server stops, or has enough connections. */
  | 'server'
  /** Another protocol took it over. */
  | 'upgrade';

/** A connection came or went. */
export interface ConnectionEvent {
  readonly type: 'connection-open' | 'connection-close';
  readonly time: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Connections that are open now. */
  readonly connections: number;
  readonly reason?: CloseReason;
  readonly requests?: number;
  readonly durationMs?: number;
}

/** The server has stopped: no connection is left. */
export interface ClosedEvent {
  readonly type: 'closed';
  /** Requests answered since the start. */
  readonly requests: number;
}

/** What a client may make the server carry. */
export interface ServerLimits {
  /** The request-target; beyond it 414. */
  readonly maxTargetBytes: number;
  /** Request line and header fields; beyond it 431. */
  readonly maxHeaderBytes: number;
  /** Header fields of a request; beyond it 431. */
  readonly maxFields: number;
  /** A request body; beyond it 413. A function may decide by the request. */
  readonly maxBodyBytes: number | ((request: IncomingRequest) => number);
  /** How much of a body nobody wanted is read so that the connection can stay. */
  readonly maxDrainBytes: number;
  /** Connections at a time; beyond it 503. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** HTTP/2: requests at a time on one connection. */
  readonly maxConcurrentStreams: number;
}

/** How long a client may take. */
export interface ServerTimers {
  /** From its first byte to the end of a request head; also the TLS handshake. Beyond it 408. */
  readonly headMs: number;
  /** For a body, without a byte. Beyond it 408. */
  readonly bodyMs: number;
  /** What a body must bring on average, after the first `bodyMs`, as long as it is waited for. Beyond it 408. */
  readonly minBodyBytesPerSecond: number;
  /** Between two requests. */
  readonly keepAliveMs: number;
  /** For an answer, without a byte accepted. */
  readonly sendMs: number;
  /** For the client to read a last answer and close. */
  readonly lingerMs: number;
}

/** Certificate chain and private key, PEM. */
export interface TlsIdentity {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly passphrase?: string;
}

/** Where to listen. */
export type ListenTarget =
  | { readonly host: string; readonly port: number; readonly tls?: boolean; readonly admin?: true }
  | { readonly path: string; readonly mode?: number; readonly tls?: boolean }
  | { readonly fd: number; readonly tls?: boolean }
  | { readonly source: ConnectionSource; readonly event: ListeningEvent; readonly tls?: boolean };

/** Connections that another process accepts for us: each goes to `accept`, until the function it returns is called. */
export type ConnectionSource = (accept: (socket: Socket) => void) => () => void;

/** How a server is to run. */
export interface ServeOptions {
  readonly host: string;
  /** 0 asks the system for a free one. */
  readonly port: number;
  /** Takes the next free port when this one is in use. */
  readonly portFallback?: boolean;
  /** Where to listen instead of `host` and `port`: several addresses, Unix sockets, inherited descriptors. */
  readonly listen?: readonly ListenTarget[];
  /** Stops the server: no new connections, running answers are finished. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: ServerEvent) => void;
  /** Which events are wanted; all but those of connections unless given. What is not wanted costs nothing. */
  readonly events?: readonly ServerEvent['type'][];
  /** Of the requests, only those that were answered with 500 or more: nothing else is timed or told. */
  readonly failuresOnly?: boolean;
  /** How long running answers may take once the server stops, in milliseconds. */
  readonly graceMs?: number;
  readonly limits?: Partial<ServerLimits>;
  readonly timers?: Partial<ServerTimers>;
  /** Speaks TLS on every listener that does not say `tls: false`. */
  readonly tls?: TlsIdentity & { readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' };
  /** HTTP/2 by ALPN (on unless false); `'prior-knowledge'` also in clear text. */
  readonly http2?: boolean | 'prior-knowledge';
  /** Lets several processes listen on the same port. */
  readonly reusePort?: boolean;
  readonly backlog?: number;
  /** Every connection must begin with a PROXY protocol header. */
  readonly proxyProtocol?: boolean;
  /** Addresses and networks (CIDR) of proxies; when given, PROXY headers are taken from these only. */
  readonly trustProxy?: readonly string[];
}

/** A server that accepts connections. */
export interface RunningServer {
  /** Of the first listener. */
  readonly url: string;
  readonly urls: readonly string[];
  readonly host: string;
  readonly port: number;
  /** Every listener, in the order asked for. */
  readonly listeners: readonly ListeningEvent[];
  /** How many connections are open. */
  readonly connections: number;
  /** How many requests were answered. */
  readonly requests: number;
  /** Resolves when the server has stopped and the last connection is gone. */
  readonly closed: Promise<void>;
  /** Stops as {@link ServeOptions.signal} would; resolves as {@link closed} does. A second call cuts what still runs. */
  close(): Promise<void>;
  /**
   * Stops as {@link close} does, for one whose successor is there: a connection that is idle may bring one more
   * request within this time, so that none is lost to a client that is just sending it.
   */
  retire(idleMs: number): Promise<void>;
  /** Takes another certificate for the connections to come. */
  setTlsIdentity(identity: TlsIdentity): void;
}
