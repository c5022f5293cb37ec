/** What a server says while it runs; plain data, units in the names, times in ISO 8601 UTC. */
export type ServerEvent = ListeningEvent | RequestEvent | ClosedEvent;

/** The socket is bound and accepts connections. */
export interface ListeningEvent {
  readonly type: 'listening';
  /** Where it answers, ready to be opened: `http://127.0.0.1:8000/`. */
  readonly url: string;
  /** Every URL it can be reached at: for a wildcard address one per address of this machine. */
  readonly urls: readonly string[];
  readonly host: string;
  readonly port: number;
}

/** A request is over. */
export interface RequestEvent {
  readonly type: 'request';
  readonly time: string;
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly status: number;
  /** Bytes of the body that were sent. */
  readonly bytes: number;
  readonly durationMs: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly userAgent: string | null;
  readonly referer: string | null;
  /** The client left, or the answer could not be completed. */
  readonly aborted?: boolean;
  /** Why a 5xx was answered, for the log only. */
  readonly error?: string;
}

/** The server has stopped: no connection is left. */
export interface ClosedEvent {
  readonly type: 'closed';
  /** Requests answered since the start. */
  readonly requests: number;
}

/** How a server is to run. */
export interface ServeOptions {
  readonly host: string;
  /** 0 asks the system for a free one. */
  readonly port: number;
  /** Takes the next free port when this one is in use. */
  readonly portFallback?: boolean;
  /** Stops the server: no new connections, running answers are finished. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: ServerEvent) => void;
  /** How long running answers may take once the server stops, in milliseconds. */
  readonly graceMs?: number;
}

/** A server that accepts connections. */
export interface RunningServer {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Resolves when the server has stopped and the last connection is gone. */
  readonly closed: Promise<void>;
  /** Stops as {@link ServeOptions.signal} would; resolves as {@link closed} does. */
  close(): Promise<void>;
}
