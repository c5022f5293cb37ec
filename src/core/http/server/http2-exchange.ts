import { close as closeDescriptor, fstatSync } from 'node:fs';
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { pipeline, Readable } from 'node:stream';
import type { Body, FileBody, HeaderList, HttpResponse } from '../messages.js';
import { bodySize, isFileBody, planAnswer } from './answer-head.js';
import { type BodyOwner, BodyReader } from './body-reader.js';
import type { Timed } from './clock.js';
import { plainAnswer, type ServerContext, ServerStopped } from './context.js';
import { createDecoder } from './decode-body.js';
import { readHttp2Head, refuseHttp2, toHttp2, toPairs } from './http2-head.js';
import { bodyLimit } from './limits.js';
import { type Origin, type RequestOwner, ServerRequest } from './request.js';
import { discardBody, isEventStream } from './send-content.js';
import { Refusal } from './status.js';

/** The connection of a stream. */
export interface Http2Origin extends Origin {
  /** What the system has taken for it so far, in bytes of all streams; undefined where nobody knows. */
  readonly bytesSent: number | undefined;
}

/** So much must go out for a client to count as one that reads: more than answers to its pings. */
const PROGRESS_BYTES = 4096;

/** One stream of HTTP/2: a request and its answer. */
export class Http2Exchange implements Timed, RequestOwner, BodyOwner {
  deadline = Number.POSITIVE_INFINITY;
  readonly origin: Http2Origin;
  readonly times: [number, number, number];
  readonly request: ServerRequest;
  content: BodyReader | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #context: ServerContext;
  #mustContinue: boolean;
  #outcome = { status: 499, bytes: 0, aborted: true, error: undefined as unknown };
  #told: Error | undefined;
  #bytesSeen = -1;
  /** What its connection had sent when it was last seen to be read. */
  #sentBefore = 0;
  #isEndless = false;
  /** It was endless, and that is all of it. */
  #isEnded = false;
  /** What is sent, if that is a file; open until this stream is closed. */
  #file: FileBody | undefined;

  constructor(
    stream: ServerHttp2Stream,
    context: ServerContext,
    origin: Http2Origin,
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
    stream.on('error', () => {}); // the client's affair
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

  /** The server stops: what would never end ends now; late, who only waits for more to send is told to give up. */
  drain(isLate: boolean): void {
    if (this.#isEndless) {
      this.#isEnded = true;
      this.#stream.destroy();
    } else if (!isLate || !this.#isQuiet()) return;
    this.#told ??= new ServerStopped();
    this.request.abort(this.#told);
  }

  #isQuiet(): boolean {
    const stream = this.#stream;
    const before = this.#bytesSeen;
    this.#bytesSeen = stream.headersSent && !stream.writableEnded ? this.#outcome.bytes : -1;
    return before !== -1 && before === this.#bytesSeen && stream.writableLength === 0;
  }

  /** The server stops and waits no longer. */
  cut(): void {
    if (this.#outcome.status === 499) this.#outcome.status = 503;
    this.#outcome.aborted = true;
    this.#outcome.error ??= new ServerStopped();
  }

  onDeadline(): void {
    const { bytesSent = 0 } = this.origin;
    // Of a file, or what is written in one piece, no stream tells how far it is: its connection does.
    if (this.#stream.headersSent && bytesSent >= this.#sentBefore + PROGRESS_BYTES) this.#postpone();
    else this.#stream.close(constants.NGHTTP2_CANCEL);
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
      this.#file = body;
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
    this.#isEndless = isEventStream(response);
    // Before the pipeline ends the stream for it, after which nobody could tell whose fault it was.
    body.on('error', (error) => this.#failed(error));
    body.on('close', () => {
      if (!body.readableEnded) this.#failed(new Error('the content ended too early'));
    });
    body.on('data', (chunk: Buffer) => {
      this.#outcome.bytes += chunk.length;
      this.#watchSending();
    });
    pipeline(body, stream, (error) => {
      if (error == null || this.#isEnded) return;
      this.#outcome.aborted = true;
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
  }

  /** The content fails: not because the client has left, or it would be no failure. */
  #failed(error: Error): void {
    if (!this.#stream.aborted && !this.#stream.destroyed) this.#outcome.error ??= this.#told ?? error;
  }

  /** A client that opens no window holds what it asked for (the "HTTP/2 bomb"): not for ever. */
  #watchSending(): void {
    const stream = this.#stream;
    if (stream.listenerCount('drain') === 0) stream.on('drain', () => this.#postpone());
    queueMicrotask(() => this.#postpone());
  }

  #postpone(): void {
    const { clock, timers } = this.#context;
    const { writableLength, writableEnded } = this.#stream;
    this.#sentBefore = this.origin.bytesSent ?? 0;
    this.deadline = writableLength > 0 || writableEnded ? clock.after(timers.sendMs) : Infinity;
  }

  #closed(): void {
    this.#context.clock.unwatch(this);
    const { rstCode, aborted } = this.#stream;
    if (this.#file !== undefined && isTruncated(this.#file)) {
      this.#outcome.error ??= new RangeError('the file is shorter than it was');
      this.#outcome.aborted = true;
    }
    const isWhole = this.#isEnded || (rstCode === constants.NGHTTP2_NO_ERROR && !aborted);
    if (!isWhole || this.#outcome.status === 499) this.request.abort();
    this.#context.reportRequest(this, { ...this.#outcome, aborted: this.#outcome.aborted || !isWhole });
  }
}

/** Whether a file lost some of what is sent of it: node:http2 then sends less than it has promised, and says nothing. */
function isTruncated({ fd, offset, length }: FileBody): boolean {
  return fstatSync(fd).size < offset + length;
}
