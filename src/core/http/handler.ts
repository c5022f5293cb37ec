import type { Duplex } from 'node:stream';
import type { HttpResponse, IncomingRequest } from './messages.js';

/** Everything that answers requests: static files, a proxy, an application. */
export interface Handler {
  /** Answers a request. A throw becomes a 500 whose reason goes to the log, never to the page. */
  handle(request: IncomingRequest): HttpResponse | Promise<HttpResponse>;
  /**
   * Takes over the connection of a request that asked for another protocol; `head` is what was read beyond it.
   * One that has not written to the socket may resolve with an ordinary answer instead.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that took the connection over returns nothing
  upgrade?(request: IncomingRequest, socket: Duplex, head: Buffer): Promise<HttpResponse | void>;
  /**
   * The server stops, and only connections that were taken over are left: they are to end in order. May be called
   * more than once.
   */
  retire?(): void;
  /** Lets go of children, pools and descriptors. May be called more than once. */
  close?(): Promise<void>;
}
