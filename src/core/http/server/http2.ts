import { close as closeDescriptor } from 'node:fs';
import {
  constants,
  type OutgoingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import type { HeaderList, HttpResponse } from '../messages.js';
import type { CloseReason } from '../server-types.js';
import { bodySize, isFileBody, serializeFields } from './answer-head.js';
import type { Timed } from './clock.js';
import { type AnyConnection, plainAnswer, type ServerContext } from './context.js';
import { Http2Request, toPairs } from './http2-request.js';
import { bodyLimit } from './limits.js';
import type { Peer } from './request.js';
import { discardBody, isEventStream } from './send-content.js';
import { Refusal } from './status.js';

/** Streams a client may open and reset, and frames it may get wrong, before it is taken for an attack. */
const RESETS = { streamResetBurst: 200, streamResetRate: 50 };
const MISTAKES = { maxSessionInvalidFrames: 100, maxSessionRejectedStreams: 100 };
const SESSION_MEGABYTES = 10;

/** Speaks HTTP/2 (RFC 9113) on a socket by node:http2; requests and answers are the same as in HTTP/1. */
export function serveHttp2(socket: Socket, context: ServerContext, peer: Peer, first?: Buffer): void {
  if (socket.destroyed) return;
  if (first !== undefined) socket.unshift(first);
  const { limits } = context;
  const session = performServerHandshake(socket, {
    ...RESETS,
    ...MISTAKES,
    maxSessionMemory: SESSION_MEGABYTES,
    // The pseudo-header fields come on top.
    maxHeaderListPairs: limits.maxFields + 4,
    settings: {
      enablePush: false,
      maxConcurrentStreams: limits.maxConcurrentStreams,
      maxHeaderListSize: limits.maxHeaderBytes + limits.maxFields * 32,
    },
  });
  context.opened(new Http2Connection(session, context, peer));
}

class Http2Connection implements AnyConnection, Timed {
  deadline: number;
  requests = 0;
  closeReason: CloseReason = 'client';
  readonly peer: Peer;
  readonly #session: ServerHttp2Session;
  readonly #context: ServerContext;
  readonly #running = new Set<Http2Exchange>();

  constructor(session: ServerHttp2Session, context: ServerContext, peer: Peer) {
    this.peer = peer;
    this.#session = session;
    this.#context = context;
    this.deadline = context.clock.after(context.timers.headMs);
    context.clock.watch(this);
    session.on('error', () => {});
    session.on('stream', (stream, _headers, _flags, rawHeaders) => this.#begin(stream, rawHeaders));
    session.on('close', () => {
      context.clock.unwatch(this);
      context.closed(this);
    });
  }

  drain(): void {
    this.closeReason = 'server';
    for (const exchange of this.#running) exchange.drain();
    this.#session.close();
  }

  destroy(reason: CloseReason): void {
    this.closeReason = reason;
    this.#session.destroy();
  }

  onDeadline(): void {
    if (this.#running.size > 0) return;
    this.closeReason = 'timeout';
    this.#session.close();
  }

  #begin(stream: ServerHttp2Stream, rawHeaders: readonly string[]): void {
    const { clock, timers } = this.#context;
    this.requests += 1;
    this.deadline = Number.POSITIVE_INFINITY;
    const exchange = new Http2Exchange(stream, this.#context, this.peer, rawHeaders);
    this.#running.add(exchange);
    stream.on('close', () => {
      this.#running.delete(exchange);
      if (this.#running.size === 0) this.deadline = clock.after(timers.keepAliveMs);
    });
    void exchange.run();
  }
}

/** One stream: a request and its answer. */
class Http2Exchange implements Timed {
  deadline = Number.POSITIVE_INFINITY;
  readonly times: [number, number, number];
  readonly request: Http2Request;
  readonly content: { bytesIn: number } = { bytesIn: 0 };
  readonly #stream: ServerHttp2Stream;
  readonly #context: ServerContext;
  #refusal: Refusal | undefined;
  #isEndless = false;
  #outcome = { status: 499, bytes: 0, aborted: true, error: undefined as unknown };

  constructor(stream: ServerHttp2Stream, context: ServerContext, peer: Peer, rawHeaders: readonly string[]) {
    this.#stream = stream;
    this.#context = context;
    const now = performance.now();
    this.times = [now, now, 0];
    this.request = new Http2Request(stream, peer, rawHeaders, (headers) => {
      if (!stream.headersSent && !stream.destroyed)
        stream.additionalHeaders({ ...toHttp2(headers), ':status': 103 });
    });
    context.clock.watch(this);
    stream.on('error', (error) => {
      this.#outcome.error ??= error;
    });
    stream.on('aborted', () => this.request.abort());
    stream.on('close', () => this.#closed());
  }

  async run(): Promise<void> {
    const { request } = this;
    this.#refusal = request.check(this.#context);
    if (this.#refusal === undefined) this.#limitBody();
    if (this.#refusal !== undefined) {
      this.#answer(plainAnswer(this.#refusal.status), this.#refusal);
      return;
    }
    try {
      this.#answer(await this.#context.handler.handle(request));
    } catch (error) {
      const refusal = this.#refusal as Refusal | undefined;
      const response =
        refusal === undefined ? this.#context.failedAnswer(request) : plainAnswer(refusal.status);
      this.#answer(response, refusal ?? error);
    }
  }

  /** The server stops: what goes on for ever ends now. */
  drain(): void {
    if (this.#isEndless) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  onDeadline(): void {
    this.#outcome.error ??= new Error('the stream stood still');
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Content is counted, timed and cut off like that of HTTP/1. */
  #limitBody(): void {
    const { clock, timers, limits } = this.#context;
    const limit = bodyLimit(limits, this.request);
    const announced = Number(this.request.find('content-length') ?? 0);
    if (announced > limit) this.#refusal = new Refusal(413, 'the body is too large');
    if (!this.request.hasBody || this.#refusal !== undefined) return;
    const { body } = this.request;
    this.#stream.on('trailers', (_trailers, _flags, raw: readonly string[]) => {
      this.request.trailers = toPairs(raw);
    });
    this.#stream.on('data', (chunk: Buffer) => {
      this.content.bytesIn += chunk.length;
      if (!this.#stream.headersSent) this.deadline = clock.after(timers.bodyMs);
      if (this.content.bytesIn > limit) {
        this.#refusal = new Refusal(413, 'the body is too large');
        body.destroy(this.#refusal);
      } else if (!body.push(chunk)) this.#stream.pause();
    });
    this.#stream.on('end', () => {
      if (!this.#stream.headersSent) this.deadline = Number.POSITIVE_INFINITY;
      body.push(null);
    });
    this.#stream.pause();
  }

  #answer(response: HttpResponse, error?: unknown): void {
    const { body, status } = response;
    const stream = this.#stream;
    if (stream.destroyed || stream.headersSent) {
      discardBody(body);
      return;
    }
    this.times[2] = performance.now();
    try {
      // The same checks as for HTTP/1.
      const declared = serializeFields(response.headers).contentLength;
      const headers: OutgoingHttpHeaders = { ...toHttp2(response.headers), ':status': status };
      const hasContent =
        body !== undefined && status !== 204 && status !== 304 && this.request.method !== 'HEAD';
      const length = bodySize(body) < 0 ? declared : body === undefined ? (declared ?? 0) : bodySize(body);
      if (length !== undefined && status !== 204 && status !== 304) headers['content-length'] = length;
      this.#outcome = { status, bytes: 0, aborted: false, error };
      this.#watchSending();
      if (!hasContent) {
        discardBody(body);
        stream.respond(headers, { endStream: true });
      } else this.#send(headers, response, length);
    } catch (cause) {
      discardBody(body);
      if (status === 500) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else this.#answer(this.#context.failedAnswer(this.request), cause);
    }
  }

  #send(headers: OutgoingHttpHeaders, response: HttpResponse, length: number | undefined): void {
    const stream = this.#stream;
    const { body, trailers } = response;
    if (isFileBody(body)) {
      stream.respondWithFD(body.fd, headers, { offset: body.offset, length: body.length });
      this.#outcome.bytes = body.length;
      stream.on('close', () => closeDescriptor(body.fd, () => {}));
      return;
    }
    stream.respond(headers, { waitForTrailers: trailers !== undefined });
    if (trailers !== undefined) {
      stream.on('wantTrailers', () => {
        Promise.resolve(trailers()).then(
          (fields) => stream.sendTrailers(toHttp2(fields)),
          () => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
        );
      });
    }
    if (!(body instanceof Readable)) {
      this.#outcome.bytes = length ?? 0;
      stream.end(body);
      return;
    }
    this.#isEndless = isEventStream(response);
    body.on('data', (chunk: Buffer) => {
      this.#outcome.bytes += chunk.length;
      this.#watchSending();
    });
    pipeline(body, stream, (error) => {
      if (error == null) return;
      this.#outcome.aborted = true;
      this.#outcome.error ??= error;
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
  }

  /** A client that opens no window holds what it asked for (the "HTTP/2 bomb"): not for ever. */
  #watchSending(): void {
    const { clock, timers } = this.#context;
    const stream = this.#stream;
    const postpone = (): void => {
      this.deadline =
        stream.writableLength > 0 || stream.writableEnded ? clock.after(timers.sendMs) : Infinity;
    };
    if (stream.listenerCount('drain') === 0) stream.on('drain', postpone);
    queueMicrotask(postpone);
  }

  #closed(): void {
    this.#context.clock.unwatch(this);
    const isWhole = this.#stream.rstCode === constants.NGHTTP2_NO_ERROR;
    if (!isWhole || this.#outcome.status === 499) this.request.abort();
    this.#context.reportRequest(this, { ...this.#outcome, aborted: this.#outcome.aborted || !isWhole });
  }
}

/** Fields in node:http2's shape; those about a connection have no place in HTTP/2 (RFC 9113, section 8.2.2). */
function toHttp2(headers: HeaderList): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = Object.create(null);
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (/^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|content-length)$/.test(key))
      continue;
    const known = fields[key];
    fields[key] = known === undefined ? value : [known, value].flat().map(String);
  }
  return fields;
}
