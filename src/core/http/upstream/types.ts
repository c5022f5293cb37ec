import type { Duplex, Readable } from 'node:stream';
import type { HeaderList } from '../messages.js';
import type { ReplyHead } from '../reply-head.js';
import type { RequestBody } from './request-body.js';

/** A request ready to be written. */
export interface UpstreamRequest {
  readonly method: string;
  /** Request line and fields with the empty line after them, a character per byte. */
  readonly head: string;
  readonly body?: RequestBody | undefined;
  /** The head asks for another protocol. */
  readonly mayUpgrade?: boolean;
  /** It may make its connection one of its user's: nobody else is to have that. */
  readonly isPersonal?: boolean;
  /** Whether anybody still waits for the reply. */
  readonly signal?: AbortSignal;
  readonly onInterim?: ((status: number, headers: HeaderList) => void) | undefined;
}

/** A reply, as soon as its head and what came with it are here. */
export interface UpstreamReply {
  readonly head: ReplyHead;
  /** All of the content, when it came with the head, else a stream of it. */
  readonly body: Buffer | Readable | undefined;
  /** What followed the content, once it has ended. */
  readonly trailers: () => HeaderList;
  /** After 101: the connection, and what has been read of the other protocol. */
  readonly upgraded?: { readonly socket: Duplex; readonly rest: Buffer };
}

/** How long an upstream may take. */
export interface UpstreamTimeouts {
  /** From the request to the head of its reply. */
  readonly responseMs: number;
  /** Without a byte of content while it is waited for, in either direction. */
  readonly stallMs: number;
}
