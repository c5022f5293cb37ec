import type { Socket } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import type { Connection } from '../net/connect.js';
import { HELD_UP_MS } from '../platform/held-up.js';
import type { ClientResponse, Timings } from './client.js';
import { toUnicode } from './header-bytes.js';
import type { OutgoingRequest } from './messages.js';
import type { RateLimit } from './rate-limit.js';
import { type BodyOrigin, ReplyBody } from './reply-body.js';
import { LENIENT_RULES, type ReplyHead } from './reply-head.js';
import { ReplyParser, type ReplySink } from './reply-parser.js';
import { encodeHead, type RequestHead, sizeOf } from './request-head.js';
import { toTransferError } from './transfer-error.js';
import { upload } from './upload.js';

/** What an exchange needs beside the request. */
export interface ExchangeOptions {
  readonly head: RequestHead;
  readonly connection: Connection;
  readonly startedAt: number;
  readonly idleTimeoutMs: number;
  readonly rate?: RateLimit | undefined;
  readonly onUpload?: ((bytes: number) => void) | undefined;
  /** Called once, when the exchange is over and its connection has been let go. */
  readonly onDone: (isReusable: boolean) => void;
}

/** Bodies up to this size go out together with the head. */
const ONE_WRITE_BYTES = 64 * 1024;

/** One request and its answer on one HTTP/1.1 connection. */
export class Http1Exchange implements ReplySink, BodyOrigin {
  readonly #request: OutgoingRequest;
  readonly #options: ExchangeOptions;
  readonly #socket: Socket;
  readonly #parser: ReplyParser;
  readonly #answer = Promise.withResolvers<ClientResponse>();
  readonly #body: ReplyBody;
  #head: ReplyHead | undefined;
  #isSent = false;
  #isPaused = false;
  #isOver = false;
  #bytesRead = 0;
  #bodyBytes = 0;
  #firstByteAt: number | undefined;
  /** When bytes last moved, or could have. */
  #movedAt = 0;
  #totalMs: number | null = null;
  #ratePause: NodeJS.Timeout | undefined;

  constructor(request: OutgoingRequest, options: ExchangeOptions) {
    const { socket, reader } = options.connection;
    this.#request = request;
    this.#options = options;
    this.#socket = socket;
    this.#parser = new ReplyParser(this, LENIENT_RULES);
    this.#parser.begin(request.method);
    this.#body = new ReplyBody(this, reader !== undefined);
    socket.on('error', this.#onError).on('end', this.#onEnd).on('close', this.#onEnd);
    socket.on('timeout', this.#onIdle);
    if (reader === undefined) socket.on('data', this.#receive);
    else reader.onBytes(this.#receive);
    this.#startIdleTimer();
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Resolves when the head of the answer is there. */
  start(): Promise<ClientResponse> {
    if (this.#request.signal.aborted) this.#onAbort();
    else {
      this.#answer.promise.catch(() => {});
      this.#socket.resume();
      try {
        this.#send();
      } catch (error) {
        this.#fail(toNettoolError(error, 'cannot read the body'));
      }
    }
    return this.#answer.promise;
  }

  onInterim(): void {}

  onUpgrade(): void {}

  onHead(head: ReplyHead): void {
    this.#head = head;
    this.#answer.resolve(this.#toResponse(head));
  }

  onBody(bytes: Buffer): void {
    this.#bodyBytes += bytes.length;
    if (!this.#body.accept(bytes)) this.#pause();
    const delayMs = this.#options.rate?.delayMs(bytes.length) ?? 0;
    if (delayMs < 1 || this.#ratePause !== undefined) return;
    this.#pause();
    this.#ratePause = setTimeout(() => {
      this.#ratePause = undefined;
      if (!this.#body.isHeldUp) this.resumeBody();
    }, delayMs);
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.#totalMs = performance.now() - this.#options.startedAt;
    this.#body.complete();
    // The bytes behind the end, if there are any, are looked at first.
    queueMicrotask(() => this.#finish(this.#isSent && this.#parser.isReusable));
  }

  /** The reader wants more; nothing counts as standing still while it did not. */
  resumeBody(): void {
    if (!this.#isPaused || this.#isOver || this.#ratePause !== undefined) return;
    this.#isPaused = false;
    this.#startIdleTimer();
    this.#socket.resume();
  }

  abandonBody(): void {
    this.#finish(false);
  }

  #send(): void {
    const { body } = this.#request;
    const head = encodeHead(this.#options.head);
    const sized = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const bytes = sized ? Buffer.from(body ?? '') : Buffer.alloc(0);
    if (sized && bytes.length <= ONE_WRITE_BYTES) {
      this.#socket.write(bytes.length === 0 ? head : Buffer.concat([head, bytes]));
      this.#options.onUpload?.(bytes.length);
      this.#isSent = true;
      return;
    }
    this.#socket.write(head);
    const source = sized ? slices(bytes) : 'open' in body ? body.open() : body;
    upload(source, this.#socket, {
      sizeBytes: sizeOf(this.#request),
      rate: this.#options.rate,
      isWanted: () => !this.#isOver && !this.#isRefused(),
      onProgress: (sent) => {
        this.#movedAt = performance.now();
        this.#options.onUpload?.(sent);
      },
    }).then(
      (isComplete) => {
        this.#isSent = isComplete;
      },
      (error) => this.#fail(toNettoolError(error, 'cannot read the body')),
    );
  }

  /** An answer that came early and is no yes: what is left of the request would only be thrown away. */
  #isRefused(): boolean {
    return this.#head !== undefined && this.#head.status >= 300;
  }

  readonly #receive = (chunk: Buffer): boolean => {
    this.#movedAt = performance.now();
    this.#firstByteAt ??= this.#movedAt;
    this.#bytesRead += chunk.length;
    if (this.#isOver) return true;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.#fail(error as Error);
    }
    return !this.#isPaused;
  };

  readonly #onError = (error: Error): void => this.#fail(error);

  readonly #onEnd = (): void => {
    if (!this.#isOver && !this.#parser.finish()) this.#fail(undefined);
  };

  readonly #onIdle = (): void => {
    if (this.#isPaused) return;
    // What has come while this process stood still is yet to be read.
    if (performance.now() - this.#movedAt > this.#options.idleTimeoutMs + HELD_UP_MS) {
      this.#startIdleTimer();
      return;
    }
    // Whoever makes the body may take its time: that is not the server's silence.
    if (!this.#isSent && this.#head === undefined && this.#socket.writableLength === 0) {
      this.#startIdleTimer();
      return;
    }
    const seconds = this.#options.idleTimeoutMs / 1000;
    const { host } = this.#request.url;
    const doing = this.#head === undefined ? `${host} did not answer` : 'the transfer stood still';
    this.#fail(new NettoolError('TIMEOUT', `${doing} for ${seconds} s`));
  };

  readonly #onAbort = (): void => {
    const failure = toNettoolError(this.#request.signal.reason);
    this.#fail(failure);
    // Nobody waits for the rest.
    this.#body.destroy(failure);
  };

  #pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  #startIdleTimer(): void {
    this.#movedAt = performance.now();
    this.#socket.setTimeout(this.#options.idleTimeoutMs);
  }

  #toResponse({ status, reason, headers, httpVersion }: ReplyHead): ClientResponse {
    const { remoteAddress, remotePort, timings } = this.#options.connection;
    const firstByteMs = (this.#firstByteAt ?? performance.now()) - this.#options.startedAt;
    const totalMs = (): number | null => this.#totalMs;
    const bodyBytes = (): number => this.#bodyBytes;
    const steps: Timings = {
      ...timings,
      firstByteMs,
      get totalMs() {
        return totalMs();
      },
    };
    return {
      status,
      reason: toUnicode(reason),
      headers: headers.map(([name, value]) => [name, toUnicode(value)] as const),
      body: this.#body,
      httpVersion,
      remoteAddress,
      remotePort,
      timings: steps,
      get wireSizeBytes() {
        return bodyBytes();
      },
    };
  }

  #fail(error: Error | undefined): void {
    if (this.#isOver || this.#totalMs !== null) return;
    const failure = toTransferError(error, {
      peer: this.#request.url.host,
      bytesRead: this.#bytesRead,
      headSeen: this.#head !== undefined,
      bodyBytes: this.#bodyBytes,
      contentLength: this.#head?.length,
    });
    this.#answer.reject(failure);
    this.#finish(false);
    this.#body.fail(failure);
  }

  #finish(isReusable: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const socket = this.#socket;
    clearTimeout(this.#ratePause);
    socket.setTimeout(0);
    socket
      .off('data', this.#receive)
      .off('end', this.#onEnd)
      .off('close', this.#onEnd)
      .off('timeout', this.#onIdle);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    if (!isReusable) socket.destroy();
    else {
      socket.off('error', this.#onError);
      socket.resume();
    }
    this.#options.onDone(isReusable);
  }
}

/** In pieces, so that progress can be told and a refusal heard. */
async function* slices(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 2 ** 20) yield bytes.subarray(at, at + 2 ** 20);
}
