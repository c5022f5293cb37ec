import type { Readable } from 'node:stream';

/** One header field: the name as it was written, and its value. */
export type HeaderPair = readonly [name: string, value: string];

/**
 * Header fields in the order they are sent, duplicates kept (RFC 9110, section 5.2). A list that is frozen
 * (`Object.freeze`) is one that comes again: it is worth keeping what was made of it.
 */
export type HeaderList = readonly HeaderPair[];

/** A part of an open file. Whoever sends it closes `fd`, on every exit. */
export interface FileBody {
  readonly fd: number;
  /** First byte to send. */
  readonly offset: number;
  /** How many bytes to send. */
  readonly length: number;
}

/** What can be sent as the content of a message. A string is sent as UTF-8. */
export type Body = Readable | Uint8Array | string | FileBody;

/** An answer: what a handler returns, and what the client receives (its body is then an unread stream). */
export interface HttpResponse {
  /** 200-599. */
  readonly status: number;
  /** The reason phrase, when it is not the status' usual one. */
  readonly reason?: string | undefined;
  /** A list that is frozen is checked and serialised once, however often it is sent. */
  readonly headers: HeaderList;
  readonly body?: Body | undefined;
  /** Fields to send after the content, asked for when all of it is sent; for bodies of unknown length. */
  readonly trailers?: () => HeaderList | Promise<HeaderList>;
}

/** A request as a server received it. */
export interface IncomingRequest {
  readonly method: string;
  /** The request-target exactly as sent (RFC 9112, section 3.2). */
  readonly target: string;
  /** The target's path as sent, percent-encoded, without the query. */
  readonly rawPath: string;
  /**
   * The one canonical path for rules, logs and opening files: percent-decoded once as UTF-8 (bytes that are not
   * become U+FFFD), dot segments then resolved and never above the root, empty segments left out. Starts with exactly
   * one `/`, holds no NUL.
   */
  readonly path: string;
  /** What follows the first `?`, as sent; empty when there is none. */
  readonly query: string;
  readonly httpVersion: '1.0' | '1.1' | '2';
  /** How the client spoke to us, or to a trusted proxy that says so. */
  readonly scheme: 'http' | 'https';
  /** As sent; where the target names a host, `Host` is that one (RFC 9112, section 3.2.2). */
  readonly headers: HeaderList;
  /** The content; ends at once when there is none. */
  readonly body: Readable;
  /** Whether there is content: a length above zero, or chunks. */
  readonly hasBody?: boolean;
  /** What followed the content, once it has ended. */
  readonly trailers?: HeaderList;
  /** How the connection is encrypted, when it is. */
  readonly tls?: TlsDetails | undefined;
  /** The client's, also when it is a trusted proxy that says so; its port is then 0 unless the proxy names it. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Who the connection is from: the client, or a trusted proxy. What forwarded fields say is only as good as this. */
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly localPort: number;
  /** What stands for the connection: the same object for each of its requests. */
  readonly connection?: object;
  /** Aborts when the client has left before its answer was complete. */
  readonly signal: AbortSignal;
  /** Has a listener called when the signal would abort, without making one; of several the last. */
  onAbort?(listener: () => void): void;
  /** Sends 103 with these fields, ahead of the answer (RFC 8297); does nothing for HTTP/1.0. */
  earlyHints?(headers: HeaderList): void;
  /** The name this request has in logs, when requests are named. */
  readonly requestId?: string;
  /** Who proved to be a user of this server, where it asks for one. */
  readonly user?: string | undefined;
  /** Takes what is to be told of how this request was served; what comes later is added. */
  note?(service: ServiceNote): void;
}

/** How a request was served behind the server, as far as its handler knows: for events and logs. */
export interface ServiceNote {
  readonly requestId?: string;
  /** Who proved to be a user of this server. */
  readonly user?: string;
  /** Waiting until a worker, a script or an upstream was free. */
  readonly queueMs?: number;
  /** The worker or script had it; without this figure, one with a `workerPid` had it as long as the handler. */
  readonly workerMs?: number;
  readonly workerPid?: number | undefined;
  /** Which upstream answered: its URL or address. */
  readonly upstream?: string;
  /** From handing it to the upstream until the answer's head had come. */
  readonly upstreamMs?: number;
  /** Why the answer is a 5xx of ours. */
  readonly reason?: string;
  /** Who sums the times up: told once, when the request is over. */
  readonly tally?: (times: ServedTimes) => void;
}

/** How long a request waited for the one that served it, and how long that one had it; as far as that is known. */
export interface ServedTimes {
  readonly waitedMs: number | undefined;
  readonly servedMs: number | undefined;
}

/** What a TLS handshake agreed on. */
export interface TlsDetails {
  readonly protocol: string;
  readonly cipher: string;
  readonly serverName: string | undefined;
}

/** Content that can be sent bit by bit. */
export interface BodySource {
  /** How many bytes it has; `undefined` when nobody knows before the end. */
  readonly sizeBytes: number | undefined;
  /** It can be opened again, for a redirect or another attempt. */
  readonly isReplayable: boolean;
  /** Its bytes, piece by piece; a piece is only lent until the next one is asked for. */
  open(): AsyncIterable<Uint8Array>;
}

/** A request the client is to send. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderList;
  readonly body?: BodySource | Readable | Uint8Array | string;
  readonly signal: AbortSignal;
}
