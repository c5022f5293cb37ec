import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { NettoolError, toNettoolError } from '../errors.js';
import { HELD_UP_MS } from '../platform/held-up.js';
import type { ClientResponse, Timings } from './client.js';
import { getHeader } from './headers.js';
import type { ExchangeOptions } from './http1.js';
import type { Http2Session } from './http2-session.js';
import type { HeaderPair, OutgoingRequest } from './messages.js';
import { type BodyOrigin, ReplyBody } from './reply-body.js';
import { type RequestHead, sizeOf } from './request-head.js';
import { toTransferError } from './transfer-error.js';

/** Fields of the connection, which HTTP/2 has none of (RFC 9113, section 8.2.2). */
const CONNECTION_FIELDS = /^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade|host)$/i;

/** The head of a request as HTTP/2 has it. */
export function toHttp2Head(head: RequestHead): RequestHead {
  const headers = head.headers.filter(([name]) => !CONNECTION_FIELDS.test(name));
  return { ...head, httpVersion: '2', headers };
}

/** One request and its answer among those of an HTTP/2 connection. */
export class Http2Exchange implements Dispatcher.DispatchHandler, BodyOrigin {
  readonly #request: OutgoingRequest;
  readonly #options: ExchangeOptions;
  readonly #session: Http2Session;
  readonly #answer = Promise.withResolvers<ClientResponse>();
  readonly #body = new ReplyBody(this, false);
  #controller: Dispatcher.DispatchController | undefined;
  #headSeen = false;
  #contentLength: number | undefined;
  #bodyBytes = 0;
  #totalMs: number | null = null;
  #isOver = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #ratePause: NodeJS.Timeout | undefined;

  constructor(request: OutgoingRequest, session: Http2Session, options: ExchangeOptions) {
    this.#request = request;
    this.#session = session;
    this.#options = options;
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Resolves when the head of the answer is there. */
  start(): Promise<ClientResponse> {
    if (this.#request.signal.aborted) {
      this.#onAbort();
      return this.#answer.promise;
    }
    const { method, url, headers } = this.#request;
    const host = getHeader(headers, 'host');
    const fields = toHttp2Head(this.#options.head).headers.flatMap(([name, value]) => [
      name.toLowerCase(),
      Buffer.from(value, 'utf8').toString('latin1'),
    ]);
    const content = this.#toContent();
    this.#session.dispatch(
      {
        method: method as Dispatcher.HttpMethod,
        path: `${url.pathname}${url.search}`,
        headers: host === undefined ? fields : [...fields, 'host', host],
        ...content,
      },
      this,
    );
    return this.#answer.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error('given up'));
    // Not before: the server may take only so many at once.
    else this.#startIdleTimer();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, fields: Fields): void {
    if (status < 200) return;
    this.#controller = controller;
    this.#headSeen = true;
    this.#startIdleTimer();
    const headers = toList(fields);
    const length = getHeader(headers, 'content-length');
    const isEmpty = this.#request.method === 'HEAD' || status === 204 || status === 304;
    if (length !== undefined && /^\d+$/.test(length) && !isEmpty) this.#contentLength = Number(length);
    this.#answer.resolve(this.#toResponse(status, headers));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#startIdleTimer();
    this.#bodyBytes += chunk.length;
    if (!this.#body.accept(chunk)) controller.pause();
    const delayMs = this.#options.rate?.delayMs(chunk.length) ?? 0;
    if (delayMs < 1 || this.#ratePause !== undefined) return;
    controller.pause();
    this.#ratePause = setTimeout(() => {
      this.#ratePause = undefined;
      if (!this.#body.isHeldUp) this.resumeBody();
    }, delayMs);
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    if (this.#contentLength !== undefined && this.#bodyBytes !== this.#contentLength) {
      this.#fail(undefined);
      return;
    }
    this.#totalMs = performance.now() - this.#options.startedAt;
    this.#body.complete();
    this.#finish();
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#fail(error);
  }

  resumeBody(): void {
    if (this.#isOver || this.#ratePause !== undefined || this.#controller?.paused !== true) return;
    this.#startIdleTimer();
    this.#controller.resume();
  }

  abandonBody(): void {
    this.#finish();
  }

  #toContent(): { body?: Buffer | string | Readable } {
    const { body } = this.#request;
    if (body === undefined) return {};
    if (typeof body === 'string') return { body };
    if (body instanceof Uint8Array) return { body: Buffer.from(body) };
    return { body: 'open' in body ? Readable.from(this.#observe(body.open()), { objectMode: false }) : body };
  }

  async *#observe(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { rate, onUpload } = this.#options;
    const sizeBytes = sizeOf(this.#request);
    let sent = 0;
    for await (const chunk of source) {
      sent += chunk.length;
      // A copy: the bytes are only lent.
      yield Buffer.from(chunk);
      this.#startIdleTimer();
      onUpload?.(chunk.length);
      const delayMs = rate?.delayMs(chunk.length) ?? 0;
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      // Whoever makes the body may take its time: that is not the server's silence.
      clearTimeout(this.#idleTimer);
    }
    this.#startIdleTimer();
    if (sizeBytes !== undefined && sent !== sizeBytes) {
      throw new NettoolError('INPUT_FAILED', `the body is not the ${sizeBytes} bytes it was said to be`);
    }
  }

  #startIdleTimer(): void {
    clearTimeout(this.#idleTimer);
    const { idleTimeoutMs } = this.#options;
    if (idleTimeoutMs === 0 || this.#isOver) return;
    const dueAt = performance.now() + idleTimeoutMs;
    this.#idleTimer = setTimeout(() => {
      if (this.#controller?.paused === true) return;
      // What has come while this process stood still is yet to be read.
      if (performance.now() > dueAt + HELD_UP_MS) {
        this.#startIdleTimer();
        return;
      }
      const { host } = this.#request.url;
      const doing = this.#headSeen ? 'the transfer stood still' : `${host} did not answer`;
      this.#fail(new NettoolError('TIMEOUT', `${doing} for ${idleTimeoutMs / 1000} s`));
    }, idleTimeoutMs);
  }

  readonly #onAbort = (): void => {
    const failure = toNettoolError(this.#request.signal.reason);
    this.#fail(failure);
    this.#body.destroy(failure);
  };

  #toResponse(status: number, headers: HeaderPair[]): ClientResponse {
    const { connection, startedAt } = this.#options;
    const { remoteAddress, remotePort } = this.#session.connection;
    const totalMs = (): number | null => this.#totalMs;
    const bodyBytes = (): number => this.#bodyBytes;
    const timings: Timings = {
      ...connection.timings,
      firstByteMs: performance.now() - startedAt,
      get totalMs() {
        return totalMs();
      },
    };
    const { body } = { body: this.#body };
    return {
      status,
      reason: '',
      headers,
      body,
      httpVersion: '2',
      remoteAddress,
      remotePort,
      timings,
      get wireSizeBytes() {
        return bodyBytes();
      },
    };
  }

  #fail(error: Error | undefined): void {
    if (this.#isOver || this.#totalMs !== null) return;
    const failure = toTransferError(withoutOwnWords(error), {
      peer: this.#request.url.host,
      bytesRead: this.#headSeen ? 1 : 0,
      headSeen: this.#headSeen,
      bodyBytes: this.#bodyBytes,
      contentLength: this.#contentLength,
    });
    this.#answer.reject(failure);
    this.#finish();
    this.#body.fail(failure);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#ratePause);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    if (this.#totalMs === null) this.#controller?.abort(new Error('given up'));
    this.#options.onDone(this.#totalMs !== null);
  }
}

type Fields = Readonly<Record<string, string | string[] | undefined>>;

function toList(fields: Fields): HeaderPair[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (name.startsWith(':') || value === undefined) return [];
    return [value].flat().map((one) => [name, one] as const);
  });
}

/** undici says "other side closed" of everything; the state of the transfer says more. */
function withoutOwnWords(error: Error | undefined): Error | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'UND_ERR_SOCKET' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return undefined;
  if (code === 'ERR_HTTP2_ERROR') {
    return new NettoolError('MALFORMED_REPLY', `the server did not answer in HTTP/2 (${error?.message})`, {
      cause: error,
    });
  }
  if (code === 'ERR_HTTP2_STREAM_ERROR' || code === 'ERR_HTTP2_SESSION_ERROR' || code === 'UND_ERR_INFO') {
    return new NettoolError('CONNECTION_BROKEN', `the server broke off (${error?.message})`, {
      cause: error,
    });
  }
  return error;
}
