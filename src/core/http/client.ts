import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Client as ClientType, Dispatcher } from 'undici';
// @ts-expect-error undici types its main door only. This one loads its client and nothing else: 20 ms less.
import UndiciClient from 'undici/lib/dispatcher/client.js';
import { NettoolError, toNettoolError } from '../errors.js';
import { type Connection, connect } from '../net/connect.js';
import type { TlsClientOptions } from '../net/tls-client.js';
import { decodeHeaders, encodeHeaders } from './header-bytes.js';
import { getHeader, hasHeader } from './headers.js';
import type { HeaderList, HttpResponse, OutgoingRequest } from './messages.js';
import { type ReplyStart, watchReplyStart } from './reply-start.js';
import { type RequestHead, toRequestHead } from './request-head.js';
import { isSystemError, type TransferState, toTransferError } from './transfer-error.js';

const Client = UndiciClient as typeof ClientType;

/** More header bytes than this are an attack (curl's limit is 300 KB). */
const MAX_HEAD_BYTES = 256 * 1024;

/** How many interim answers (1xx) one reply may have. */
const MAX_INTERIM = 20;

/** How {@link send} goes about it. */
export interface SendOptions {
  /** For DNS, TCP and TLS together; 0 waits for ever. */
  readonly connectTimeoutMs: number;
  /** How long not a byte may move; 0 waits for ever. */
  readonly idleTimeoutMs: number;
  readonly tls?: Omit<TlsClientOptions, 'alpn'> | undefined;
  /** Told what is really sent, just before it is. */
  readonly onSend?: ((head: RequestHead) => void) | undefined;
}

/** When each step was done, in milliseconds from the start. */
export interface Timings {
  readonly dnsMs: number;
  readonly connectMs: number;
  /** `null` without TLS. */
  readonly tlsMs: number | null;
  readonly firstByteMs: number;
  /** `null` until the body has ended. */
  readonly totalMs: number | null;
}

/** An answer whose body has not been read yet. Whoever does not read it has to destroy it. */
export interface ClientResponse extends HttpResponse {
  readonly reason: string;
  readonly body: Readable;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly timings: Timings;
  /** Bytes of the body that have arrived so far, as sent: before any decoding. */
  readonly wireSizeBytes: number;
}

/**
 * Sends a request over a connection of its own and resolves when the head of the answer is there.
 * Redirects, decoding and retries are other layers' work. Failures are `NettoolError`s, in the body as well.
 */
export async function send(request: OutgoingRequest, options: SendOptions): Promise<ClientResponse> {
  const { url } = request;
  const startedAt = performance.now();
  const secure = url.protocol === 'https:';
  const connection = await connect({
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    timeoutMs: options.connectTimeoutMs,
    signal: request.signal,
    tls: secure ? { ...options.tls, alpn: ['http/1.1'] } : undefined,
  });
  options.onSend?.(toRequestHead(request));
  return new Exchange(request, { connection, startedAt, idleTimeoutMs: options.idleTimeoutMs }).start();
}

interface ExchangeOptions {
  readonly connection: Connection;
  readonly startedAt: number;
  readonly idleTimeoutMs: number;
}

/** One request and its answer on one connection, which is closed with it. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: OutgoingRequest;
  readonly #options: ExchangeOptions;
  readonly #socket: Socket;
  readonly #client: ClientType;
  readonly #replyStart: ReplyStart;
  readonly #answer = Promise.withResolvers<ClientResponse>();
  readonly #body: Readable;
  #controller: Dispatcher.DispatchController | undefined;
  #socketError: Error | undefined;
  #ended = false;
  #interims = 0;
  #bodyBytes = 0;
  #contentLength: number | undefined;
  #headSeen = false;
  #totalMs: number | null = null;
  #failure: NettoolError | undefined;

  constructor(request: OutgoingRequest, options: ExchangeOptions) {
    const { socket } = options.connection;
    this.#request = request;
    this.#options = options;
    this.#socket = socket;
    this.#body = new Readable({
      highWaterMark: 256 * 1024,
      read: () => this.#resume(),
      destroy: (error, done) => {
        this.#close();
        done(error);
      },
    });
    // Whoever reads the body sees the error there; until somebody does it must not end the process.
    this.#body.on('error', () => {});
    // All before undici listens, so that what happened is known when it reports.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // What undici destroys the socket with comes by here too.
      if (isSystemError(error)) this.#socketError ??= error;
    });
    socket.on('end', () => {
      this.#ended = true;
    });
    this.#replyStart = watchReplyStart(socket);
    socket.on('readable', this.#checkHeadSize);
    socket.on('timeout', this.#onIdle);
    this.#startIdleTimer();
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#client = new Client(request.url.origin, {
      connect: (_options, callback) => queueMicrotask(() => callback(null, socket)),
      allowH2: false,
      // undici's own timers are off by up to a second; ours watch the socket.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEAD_BYTES,
    });
  }

  start(): Promise<ClientResponse> {
    const { method, url, headers, body, signal } = this.#request;
    if (signal.aborted) this.#onAbort();
    const path = `${url.pathname}${url.search}`;
    const content = body === undefined ? {} : { body };
    this.#client.dispatch({ method, path, headers: encodeHeaders(headers), ...content }, this);
    return this.#answer.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _: unknown, words = ''): void {
    if (status < 200) {
      this.#interims += 1;
      if (this.#interims > MAX_INTERIM) this.#fail(this.#malformed('endless interim answers'));
      return;
    }
    this.#headSeen = true;
    this.#socket.off('readable', this.#checkHeadSize);
    const headers = decodeHeaders(controller.rawHeaders as Buffer[]);
    const length = getHeader(headers, 'content-length');
    if (length !== undefined && !hasHeader(headers, 'transfer-encoding'))
      this.#contentLength = Number(length);
    this.#answer.resolve(this.#toResponse(status, words, headers));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    if (!this.#body.push(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    // undici takes a reset for the end of a body that has no length.
    if (this.#socketError !== undefined) {
      this.#fail(this.#socketError);
      return;
    }
    this.#totalMs = performance.now() - this.#options.startedAt;
    this.#body.push(null);
    this.#close();
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#fail(error);
  }

  #toResponse(status: number, reason: string, headers: HeaderList): ClientResponse {
    const { connection, startedAt } = this.#options;
    const { remoteAddress, remotePort, timings } = connection;
    const firstByteMs = (this.#replyStart.firstByteAt ?? performance.now()) - startedAt;
    const totalMs = (): number | null => this.#totalMs;
    const bodyBytes = (): number => this.#bodyBytes;
    return {
      status,
      reason,
      headers,
      body: this.#body,
      httpVersion: this.#replyStart.httpVersion,
      remoteAddress,
      remotePort,
      timings: {
        ...timings,
        firstByteMs,
        get totalMs() {
          return totalMs();
        },
      },
      get wireSizeBytes() {
        return bodyBytes();
      },
    };
  }

  /** The reader wants more; nothing counts as standing still while it did not. */
  #resume(): void {
    if (this.#failure !== undefined) {
      this.#failBody();
      return;
    }
    if (this.#controller?.paused !== true) return;
    this.#startIdleTimer();
    this.#controller.resume();
  }

  #startIdleTimer(): void {
    this.#socket.setTimeout(this.#options.idleTimeoutMs);
  }

  readonly #onIdle = (): void => {
    if (this.#controller?.paused === true) return;
    const seconds = this.#options.idleTimeoutMs / 1000;
    const doing = this.#headSeen ? 'the transfer stood still' : `${this.#request.url.host} did not answer`;
    this.#fail(new NettoolError('TIMEOUT', `${doing} for ${seconds} s`));
  };

  readonly #onAbort = (): void => {
    this.#fail(toNettoolError(this.#request.signal.reason));
    // Nobody waits for the rest.
    this.#body.destroy(this.#failure);
  };

  /** undici counts the bytes of header fields, but not those of a status line without end. */
  readonly #checkHeadSize = (): void => {
    if (this.#replyStart.bytesRead > 2 * MAX_HEAD_BYTES) this.#fail(this.#malformed('an endless head'));
  };

  #malformed(what: string): NettoolError {
    return new NettoolError('MALFORMED_REPLY', `${this.#request.url.host} did not answer in HTTP (${what})`);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined || this.#totalMs !== null) return;
    this.#failure = toTransferError(error, this.#state());
    this.#answer.reject(this.#failure);
    this.#close();
    this.#failBody();
  }

  /** What has arrived is handed out before the failure. */
  #failBody(): void {
    if (this.#body.readableLength === 0) this.#body.destroy(this.#failure);
    // An empty chunk answers this call of `read`, so that there is another when more has been taken.
    else this.#body.push('');
  }

  #state(): TransferState {
    return {
      peer: this.#request.url.host,
      ended: this.#ended,
      bytesRead: this.#replyStart.bytesRead,
      headSeen: this.#headSeen,
      bodyBytes: this.#bodyBytes,
      contentLength: this.#contentLength,
    };
  }

  #close(): void {
    this.#socket.setTimeout(0);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.#client.destroy().catch(() => {});
    this.#socket.destroy();
  }
}
