import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsDetails } from '../messages.js';
import type { CloseReason } from '../server-types.js';
import type { Timed } from './clock.js';
import type { AnyConnection, ServerContext } from './context.js';
import { Http2Exchange, type Http2Origin } from './http2-exchange.js';
import { type Peer, tlsDetails } from './request.js';

/** Streams a client may open and reset, and frames it may get wrong, before it is taken for an attack. */
const PATIENCE = {
  // Who leaves a page resets all that is still under way for it.
  streamResetBurst: 600,
  streamResetRate: 50,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 1000,
  // In megabytes. At its end node:http2 refuses requests, and a hundred images that are being sent are more than its
  // default of 10: as much as all streams of a client may have in hand, in pieces of 256 KiB.
  maxSessionMemory: 128,
};

/** Speaks HTTP/2 (RFC 9113) on a socket by node:http2; requests and answers are the same as in HTTP/1. */
export function serveHttp2(socket: Socket, context: ServerContext, peer: Peer, first?: Buffer): void {
  if (socket.destroyed) return;
  if (first !== undefined) socket.unshift(first);
  const { limits } = context;
  const session = performServerHandshake(socket, {
    ...PATIENCE,
    // The pseudo-header fields come on top.
    maxHeaderListPairs: limits.maxFields + 4,
    settings: {
      enablePush: false,
      maxConcurrentStreams: limits.maxConcurrentStreams,
      maxHeaderListSize: limits.maxHeaderBytes + limits.maxFields * 32,
    },
  });
  context.opened(new Http2Connection(session, socket, context, peer));
}

class Http2Connection implements AnyConnection, Http2Origin, Timed {
  deadline: number;
  requests = 0;
  closeReason: CloseReason = 'client';
  readonly peer: Peer;
  readonly isEncrypted: boolean;
  readonly tls: TlsDetails | undefined;
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #context: ServerContext;
  readonly #running = new Set<Http2Exchange>();

  constructor(session: ServerHttp2Session, socket: Socket, context: ServerContext, peer: Peer) {
    this.peer = peer;
    this.isEncrypted = 'encrypted' in socket;
    this.tls = this.isEncrypted ? tlsDetails(socket as TLSSocket) : undefined;
    this.#session = session;
    this.#socket = socket;
    this.#context = context;
    this.deadline = context.clock.after(context.timers.headMs);
    context.clock.watch(this);
    session.on('error', () => {});
    // Only streams are half-closed here: a client that ends the connection has left, and node:http2 does not see it.
    socket.on('end', () => session.destroy());
    session.on('stream', (stream, _headers, _flags, rawHeaders) => this.#begin(stream, rawHeaders));
    session.on('close', () => {
      context.clock.unwatch(this);
      context.closed(this);
    });
  }

  get bytesSent(): number | undefined {
    // Not a public name: the public one knows nothing of what node:http2 writes past the socket.
    const handle = (this.#socket as unknown as { _handle?: { bytesWritten?: number } | null })._handle;
    return handle?.bytesWritten;
  }

  drain(isLate: boolean): void {
    this.closeReason = 'server';
    for (const exchange of this.#running) exchange.drain(isLate);
    this.#session.close();
  }

  destroy(reason: CloseReason): void {
    this.closeReason = reason;
    if (reason === 'server') for (const exchange of this.#running) exchange.cut();
    this.#session.destroy();
    // One that is closing in order waits for its socket, which a client that has broken off may never close.
    this.#socket.destroy();
  }

  onDeadline(): void {
    if (this.#running.size > 0) return;
    if (this.#session.closed) {
      this.destroy(this.closeReason);
      return;
    }
    this.closeReason = 'timeout';
    this.#session.close();
    // It closes its end, too, or it has vanished.
    const { clock, timers } = this.#context;
    this.deadline = clock.after(timers.keepAliveMs);
  }

  #begin(stream: ServerHttp2Stream, rawHeaders: readonly string[]): void {
    const { clock, timers } = this.#context;
    this.requests += 1;
    this.deadline = Number.POSITIVE_INFINITY;
    const exchange = new Http2Exchange(stream, this.#context, this, rawHeaders);
    this.#running.add(exchange);
    stream.on('close', () => {
      this.#running.delete(exchange);
      if (this.#running.size === 0) this.deadline = clock.after(timers.keepAliveMs);
    });
    void exchange.run();
  }
}
