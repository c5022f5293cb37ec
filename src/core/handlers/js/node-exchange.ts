import { ServerResponse, STATUS_CODES } from 'node:http';
import { Readable } from 'node:stream';
import { CLIENT_LEFT, onClientGone } from '../../http/client-gone.js';
import { GatewayError } from '../../http/gateway-error.js';
import { hasHeader } from '../../http/headers.js';
import type { HeaderPair, HttpResponse, IncomingRequest } from '../../http/messages.js';
import type { Clock, Timed } from '../../http/server/clock.js';
import { HostedMessage } from './hosted-message.js';
import type { HostedSocket } from './hosted-socket.js';
import { parseLines, toFields } from './node-fields.js';
import type { JsSettings } from './settings.js';

type Written = (error?: Error | null) => void;

/** What node:http keeps in a response beside what it documents. */
interface Internals {
  _header: string | null;
  _contentLength: number | null;
  _trailer: string;
  _closed: boolean;
  _storeHeader(line: string, headers: unknown): void;
  _send(data: string | Uint8Array, encoding?: BufferEncoding | null, written?: Written | null): boolean;
  _writeRaw(data: string, encoding: unknown, written?: Written): boolean;
  _finish(): void;
  _flush(): void;
}

/** What node:http keeps in a request. */
interface MessageInternals {
  _consuming: boolean;
  _dump(): void;
}

const prototype = ServerResponse.prototype as unknown as Internals;
const EXCHANGE = Symbol('exchange');

/** What an exchange takes place with. */
export interface ExchangeParts {
  readonly request: IncomingRequest;
  readonly rawHeaders: string[];
  readonly socket: HostedSocket;
  readonly clock: Clock;
  /** How long the application may take until its answer begins. */
  readonly timeoutMs: number;
  readonly failed: JsSettings['failed'];
}

/**
 * One request and its answer in node's own objects, without a connection between them: the response hands over
 * what it would have written. Its own methods stand in the object, as frameworks give it another prototype.
 */
export class NodeExchange implements Timed {
  deadline = Number.POSITIVE_INFINITY;
  slot: number | undefined;
  readonly message: HostedMessage;
  readonly response: ServerResponse;
  readonly #parts: ExchangeParts;
  #fields: HeaderPair[] = [];
  #answer: HttpResponse | Promise<HttpResponse> | undefined;
  #settle: ((answer: HttpResponse | Promise<HttpResponse>) => void) | undefined;
  #isSettled = false;
  #held: Array<string | Uint8Array> = [];
  #heldLength = 0;
  #written: Written[] = [];
  #body: Readable | undefined;
  #isStreamPlanned = false;
  #isOver = false;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    const { request, rawHeaders, socket, clock, timeoutMs } = parts;
    this.message = new HostedMessage(request, rawHeaders, socket, (isClientsTurn) => {
      if (!this.#isSettled) this.deadline = isClientsTurn ? Number.POSITIVE_INFINITY : clock.after(timeoutMs);
    });
    this.response = new HostedResponse(this);
    this.response.assignSocket(socket);
  }

  /** Lets the application answer: at once where it does. */
  run(
    listener: (request: HostedMessage, response: ServerResponse) => unknown,
  ): HttpResponse | Promise<HttpResponse> {
    const { request, clock, timeoutMs, socket } = this.#parts;
    socket.exchange = this;
    const result = listener(this.message, this.response);
    // Unlike node, which knows nobody to tell.
    if (result instanceof Promise) result.catch((error) => this.#fail(error));
    if (this.#answer !== undefined && this.#body === undefined) return this.#answer;
    onClientGone(request, () => this.#abandon());
    if (this.#answer !== undefined) return this.#answer;
    if (this.deadline === Number.POSITIVE_INFINITY) this.deadline = clock.after(timeoutMs);
    clock.watch(this);
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  onDeadline(): void {
    this.#fail(new GatewayError(504, `the application did not answer within ${this.#parts.timeoutMs} ms`));
  }

  /** `writeHead()` */
  storeHeader(line: string, headers: unknown): void {
    const { response } = this;
    const internals = response as unknown as Internals;
    const fields = toFields(response, headers);
    const size = internals._contentLength;
    if (this.message.method === 'HEAD' && size !== null && !hasHeader(fields, 'content-length')) {
      fields.push(['Content-Length', String(size)]);
    }
    this.#fields = fields;
    internals._header = line;
  }

  /** `write()`, `flushHeaders()` and the last piece of `end()` */
  send(data: string | Uint8Array, encoding?: BufferEncoding | null, written?: Written | null): boolean {
    if (written) this.#written.push(written);
    const isText = typeof data === 'string' && (!encoding || encoding === 'utf8' || encoding === 'utf-8');
    const content =
      typeof data === 'string' && !isText ? Buffer.from(data, encoding as BufferEncoding) : data;
    if (this.#body !== undefined) {
      if (content.length === 0) return true;
      const isWanted = this.#body.push(content);
      if (isWanted) process.nextTick(() => this.#tellWritten());
      return isWanted;
    }
    if (content.length > 0) this.#held.push(content);
    this.#heldLength += content.length;
    // Counted where `end()` brings all there is, and follows at once.
    const isWhole = (this.response as unknown as Internals)._contentLength !== null;
    if (!isWhole && !this.#isStreamPlanned) {
      // What ends in this turn has a length.
      this.#isStreamPlanned = true;
      process.nextTick(() => this.#stream());
    }
    return this.#heldLength < this.response.writableHighWaterMark;
  }

  /** Everything is written. */
  end(): void {
    const held = this.#held;
    const hasTrailers = (this.response as unknown as Internals)._trailer !== '';
    if (this.#body === undefined && !hasTrailers) {
      const body = held.length < 2 ? held[0] : Buffer.concat(held.map(toBytes));
      this.#deliver(body);
      process.nextTick(() => this.#over());
      return;
    }
    this.#stream();
    this.#body?.push(null);
  }

  /** Begins an answer whose end is not there yet. */
  #stream(): void {
    if (this.#body !== undefined || this.#isSettled) return;
    const { response } = this;
    const body = new Readable({
      read: () => {
        this.#tellWritten();
        // Emits `drain` when somebody waits for it.
        if (!response.writableEnded) (response as unknown as Internals)._flush();
      },
      destroy: (error, callback) => {
        if (!this.#isOver && !body.readableEnded) this.#parts.socket.destroy();
        callback(error);
      },
    });
    body.on('end', () => this.#over());
    body.on('error', () => {});
    this.#body = body;
    for (const chunk of this.#held.splice(0)) body.push(chunk);
    this.#deliver(body);
  }

  #deliver(body: HttpResponse['body']): void {
    if (this.#isSettled) return;
    const { statusCode, statusMessage } = this.response;
    const answer: { -readonly [Key in keyof HttpResponse]: HttpResponse[Key] } = {
      status: statusCode,
      headers: this.#fields,
    };
    if (body !== undefined) answer.body = body;
    if (statusMessage !== STATUS_CODES[statusCode]) answer.reason = statusMessage;
    if (this.#body !== undefined) Object.assign(answer, { trailers: () => this.#trailers() });
    this.#settleWith(answer);
  }

  #trailers(): HeaderPair[] {
    return parseLines((this.response as unknown as Internals)._trailer);
  }

  /** There will be no answer, or not all of it. */
  #fail(error: unknown): void {
    const isStreaming = this.#body !== undefined;
    if (!this.#isSettled) this.#settleWith(Promise.try(this.#parts.failed, this.#parts.request, error));
    if (isStreaming) this.#body?.destroy(error instanceof Error ? error : new Error(String(error)));
    this.#parts.socket.destroy();
  }

  #settleWith(answer: HttpResponse | Promise<HttpResponse>): void {
    this.#isSettled = true;
    this.#answer = answer;
    this.deadline = Number.POSITIVE_INFINITY;
    if (this.#settle === undefined) return;
    this.#parts.clock.unwatch(this);
    this.#settle(answer);
  }

  /** The client has left. */
  #abandon(): void {
    if (this.#isOver) return;
    this.#fail(CLIENT_LEFT);
    this.message.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
  }

  /** The application ended the connection. */
  onSocketEnd(): void {
    if (!this.#isOver) this.#fail(new GatewayError(502, 'the application closed the connection'));
  }

  #tellWritten(): void {
    if (this.#written.length === 0) return;
    const told = this.#written;
    this.#written = [];
    for (const written of told) written();
  }

  /** As node:http ends it: whoever waits is told, and the connection can carry the next one. */
  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#tellWritten();
    const { message, response } = this;
    const { socket } = this.#parts;
    const internals = message as unknown as MessageInternals;
    if (!internals._consuming) internals._dump();
    socket.exchange = undefined;
    if (socket.timeout) socket.setTimeout(0);
    if (response.socket === socket) response.detachSocket(socket);
    response.destroyed = true;
    (response as unknown as Internals)._closed = true;
    response.emit('close');
  }

  /** An interim answer; that content may come the engine says by itself. */
  inform(head: string): void {
    if (head.startsWith('HTTP/1.1 103 ')) {
      this.#parts.request.earlyHints?.(parseLines(head.slice(head.indexOf('\r\n') + 2)));
    }
  }
}

function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : data;
}

/** The methods stand in the object itself, as frameworks give it another prototype. */
class HostedResponse extends ServerResponse {
  readonly [EXCHANGE]: NodeExchange;
  readonly _storeHeader = storeHeader;
  readonly _send = send;
  readonly _writeRaw = writeRaw;
  readonly _finish = finish;

  constructor(exchange: NodeExchange) {
    super(exchange.message);
    this[EXCHANGE] = exchange;
  }
}

function storeHeader(this: HostedResponse, line: string, headers: unknown): void {
  this[EXCHANGE].storeHeader(line, headers);
}

const send: Internals['_send'] = function send(this: HostedResponse, data, encoding, written) {
  return this[EXCHANGE].send(data, encoding, written);
};

/** Only interim answers are written by it: the rest would have been, by what stands before. */
const writeRaw: Internals['_writeRaw'] = function writeRaw(this: HostedResponse, data, encoding, written) {
  this[EXCHANGE].inform(data);
  const done = typeof encoding === 'function' ? (encoding as Written) : written;
  if (done) process.nextTick(done);
  return true;
};

function finish(this: HostedResponse): void {
  prototype._finish.call(this);
  this[EXCHANGE].end();
}
