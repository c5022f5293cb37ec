/** Why a connection ended. `limit`: the whole run's time was up, or the peer let too much wait for it. */
export type CloseReason = 'fin' | 'reset' | 'idle' | 'limit' | 'signal';

/** A server is ready. */
export interface ListeningEvent {
  readonly type: 'listening';
  readonly host?: string;
  readonly port?: number;
  /** The Unix socket, instead of host and port. */
  readonly path?: string;
  readonly url: string;
  /** SHA-256 of the server's certificate. */
  readonly fingerprint?: string;
}

/** A connection stands; for UDP: a peer was heard for the first time. */
export interface OpenEvent {
  readonly type: 'open';
  readonly id: number;
  /** `null` for Unix sockets. */
  readonly remoteAddress: string | null;
  readonly remotePort: number | null;
  /** What was agreed on, with TLS. */
  readonly tls?: TlsFacts | undefined;
}

/** What a TLS handshake came to. */
export interface TlsFacts {
  readonly protocol: string | null;
  readonly cipher: string;
  readonly alpn: string | null;
  /** The peer's certificates, its own first. */
  readonly chain: ReadonlyArray<{ subject: string; issuer: string; validTo: string; fingerprint: string }>;
}

/** Bytes that arrived. */
export interface DataEvent {
  readonly type: 'data';
  readonly id: number;
  readonly text?: string;
  readonly base64?: string;
}

/** A connection is over. */
export interface CloseEvent {
  readonly type: 'close';
  readonly id: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  readonly reason: CloseReason;
  /** Who ended its side first. */
  readonly endedBy: 'peer' | 'local';
  /** SHA-256 of what arrived and of what was sent, when asked for. */
  readonly sha256In?: string;
  readonly sha256Out?: string;
  /** Where what arrived was saved. */
  readonly file?: string;
}

/** Something went wrong with one connection; the command goes on. */
export interface ConnectionErrorEvent {
  readonly type: 'connection-error';
  readonly id: number | null;
  readonly remoteAddress: string | null;
  readonly remotePort: number | null;
  readonly code: string;
  readonly message: string;
}

/** Something a person should know that is nobody's failure. */
export interface WarningEvent {
  readonly type: 'warning';
  readonly message: string;
}

/** How far a transfer is (`--progress`), or one second of a `--throughput` run. */
export interface ProgressEvent {
  readonly type: 'progress' | 'interval' | 'throughput';
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  /** Over the last second; in total for `throughput`. */
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
}

/** One port of a scan. */
export interface PortEvent {
  readonly type: 'port';
  readonly port: number;
  readonly state: 'open' | 'closed' | 'filtered';
}

/** A server has stopped: what it did in all. */
export interface ClosedEvent {
  readonly type: 'closed';
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Everything the socket commands can tell. */
export type SocketEvent =
  | ListeningEvent
  | OpenEvent
  | DataEvent
  | CloseEvent
  | ClosedEvent
  | ConnectionErrorEvent
  | WarningEvent
  | ProgressEvent
  | PortEvent;

/** Where events go. */
export type OnSocketEvent = (event: SocketEvent) => void;
