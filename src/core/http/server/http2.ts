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
import type { TLSSocket } from 'node:tls';
import type { Body, HeaderList, HttpResponse, TlsDetails } from '../messages.js';
import type { CloseReason } from '../server-types.js';
import { bodySize, isFileBody, planAnswer } from './answer-head.js';
import { type BodyOwner, BodyReader } from './body-reader.js';
import type { Timed } from './clock.js';
import { type AnyConnection, plainAnswer, type ServerContext } from './context.js';
import { createDecoder } from './decode-body.js';
import { readHttp2Head, refuseHttp2, toHttp2, toPairs } from './http2-head.js';
import { bodyLimit } from './limits.js';
import { type Origin, type Peer, type RequestOwner, ServerRequest, tlsDetails } from './request.js';
import { discardBody, isEventStream } from './send-content.js';
import { Refusal } from './status.js';

/** Streams a client may open and reset, and frames it may get wrong, before it is taken for an attack. */
const PATIENCE = {
  streamResetBurst: 200,
  streamResetRate: 50,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  // In megabytes.
  maxSessionMemory: 10,
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

class Http2Connection implements AnyConnection, Origin, Timed {
  deadline: number;
  requests = 0;
  closeReason: CloseReason = 'client';
  readonly peer: Peer;
  readonly isEncrypted: boolean;
  readonly tls: TlsDetails | undefined;
  readonly #session: ServerHttp2Session;
  readonly #context: ServerContext;
  #running = 0;

  constructor(session: ServerHttp2Session, socket: Socket, context: ServerContext, peer: Peer) {
    this.peer = peer;
    this.isEncrypted = 'encrypted' in socket;
    this.tls = this.isEncrypted ? tlsDetails(socket as TLSSocket) : undefined;
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
    this.#session.close();
  }

  destroy(reason: CloseReason): void {
    this.closeReason = reason;
    this.#session.destroy();
  }

  onDeadline(): void {
    if (this.#running > 0) return;
    this.closeReason = 'timeout';
    this.#session.close();
  }

  #begin(stream: ServerHttp2Stream, rawHeaders: readonly string[]): void {
    const { clock, timers } = this.#context;
    this.requests += 1;
    this.#running += 1;
    this.deadline = Number.POSITIVE_INFINITY;
    stream.on('close', () => {
      this.#running -= 1;
      if (this.#running === 0) this.deadline = clock.after(timers.keepAliveMs);
    });
    void new Http2Exchange(stream, this.#context, this, rawHeaders).run();
  }
}

/** One stream: a request and its answer. */
class Http2Exchange implements Timed, RequestOwner, BodyOwner {
  deadline = Number.POSITIVE_INFINITY;
  readonly origin: Origin;
  readonly times: [number, number, number];
  readonly request: ServerRequest;
  content: BodyReader | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #context: ServerContext;
  #mustContinue: boolean;
  #outcome = { status: 499, bytes: 0, aborted: true, error: undefined as unknown };

  constructor(
    stream: ServerHttp2Stream,
    context: ServerContext,
    origin: Origin,
    rawHeaders: readonly string[],
  ) {
    this.origin = origin;
    this.#stream = stream;
    this.#context = context;
    const now = performance.now();
    this.times = [now, now, 0];
    const head = readHttp2Head(rawHeaders, !stream.endAfterHeaders);
    this.request = new ServerRequest(head, this);
    this.#mustContinue = head.fields.expect === '100-continue';
    context.clock.watch(this);
    stream.on('error', (error) => {
      this.#outcome.error ??= error;
    });
    stream.on('aborted', () => this.request.abort());
    stream.on('close', () => this.#closed());
  }

  async run(): Promise<void> {
    const refusal = refuseHttp2(this.request, this.#context.limits);
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return;
    }
    if (this.request.hasBody) this.#openBody();
    try {
      this.#answer(await this.#context.handler.handle(this.request));
    } catch (error) {
      if (this.content?.refusal === undefined) this.#answer(this.#context.failedAnswer(this.request), error);
      else this.#refuse(this.content.refusal);
    }
  }

  earlyHints(headers: HeaderList): void {
    this.#inform({ ...toHttp2(headers), ':status': 103 });
  }

  bodyWanted(): void {
    if (this.#mustContinue) this.#inform({ ':status': 100 });
    this.#mustContinue = false;
    this.#awaitBody();
    this.#stream.resume();
  }

  bodyDropped(): void {
    // What nobody reads must still be taken, or the connection's window runs out.
    this.#stream.resume();
  }

  onDeadline(): void {
    this.#outcome.error ??= new Error('the stream stood still');
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #refuse(refusal: Refusal): void {
    this.#answer(plainAnswer(refusal.status), refusal);
  }

  /** An interim answer. */
  #inform(headers: OutgoingHttpHeaders): void {
    if (!this.#stream.headersSent && !this.#stream.destroyed) this.#stream.additionalHeaders(headers);
  }

  /** Content is counted, timed and cut off like that of HTTP/1. */
  #openBody(): void {
    const stream = this.#stream;
    const { limits } = this.#context;
    const maxBodyBytes = bodyLimit(limits, this.request);
    const content = new BodyReader(
      createDecoder(Number.POSITIVE_INFINITY, { ...limits, maxBodyBytes }),
      this,
    );
    let trailers: HeaderList = [];
    this.content = content;
    stream.on('trailers', (_trailers, _flags, raw: readonly string[]) => {
      trailers = toPairs(raw);
    });
    stream.on('data', (chunk: Buffer) => {
      this.#awaitBody();
      if (!content.isComplete) content.feed(chunk);
      if (content.bytesIn > maxBodyBytes) content.fail(new Refusal(413, 'the body is too large'));
      if (!content.isHungry && !content.destroyed) stream.pause();
    });
    stream.on('end', () => {
      if (!stream.headersSent) this.deadline = Number.POSITIVE_INFINITY;
      content.finish(trailers);
    });
    stream.pause();
  }

  #awaitBody(): void {
    const { clock, timers } = this.#context;
    if (!this.#stream.headersSent) this.deadline = clock.after(timers.bodyMs);
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
      const plan = planAnswer(this.request, response, true, this.#context.clock);
      const headers: OutgoingHttpHeaders = { ...toHttp2(response.headers), ':status': status };
      if (plan.contentLength !== undefined) headers['content-length'] = plan.contentLength;
      this.#outcome = { status, bytes: 0, aborted: false, error };
      this.#watchSending();
      if (body === undefined || plan.framing === 'none') {
        discardBody(body);
        stream.respond(headers, { endStream: true });
      } else this.#send(headers, response, body);
    } catch (cause) {
      discardBody(body);
      if (status === 500) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else this.#answer(this.#context.failedAnswer(this.request), cause);
    }
  }

  #send(headers: OutgoingHttpHeaders, response: HttpResponse, body: Body): void {
    const stream = this.#stream;
    const { trailers } = response;
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
      this.#outcome.bytes = bodySize(body);
      stream.end(body);
      return;
    }
    if (isEventStream(response)) this.#context.addEndless(stream);
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
