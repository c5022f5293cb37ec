import { ChunkedDecoder, MalformedReply } from './chunked.js';
import { decodeHeaderValue } from './header-bytes.js';
import type { HeaderList, HeaderPair } from './messages.js';

/** The head of a final answer. */
export interface ReplyHead {
  readonly httpVersion: '1.0' | '1.1';
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderList;
  /** How long the body says it is. */
  readonly length: number | undefined;
}

/** Takes what a {@link ReplyParser} finds, in this order. Body bytes are only lent. */
export interface ReplySink {
  onHead(head: ReplyHead): void;
  onBody(bytes: Buffer): void;
  onEnd(): void;
}

/** More header bytes than this are an attack (curl's limit is 300 KB). */
const MAX_HEAD_BYTES = 256 * 1024;

/** How many interim answers (1xx) one reply may have. */
const MAX_INTERIM = 20;

/** The space after the status is left out by many who have no words for it. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

/** RFC 9110, section 5.6.2 and 5.5: a name is a token, a value has no control characters but tab. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/;

/**
 * Reads the one reply of a request (RFC 9112), however its bytes are cut. Whatever could be understood in two ways
 * is refused with {@link MalformedReply}: lengths that differ, a length beside chunks, codings nobody asked for,
 * folded lines, control characters.
 */
export class ReplyParser {
  readonly #sink: ReplySink;
  readonly #method: string;
  #state: 'head' | 'length' | 'chunked' | 'until-close' | 'done' = 'head';
  #pending: Buffer = Buffer.alloc(0);
  #interims = 0;
  #headBytes = 0;
  #missing = 0;
  #chunks: ChunkedDecoder | undefined;
  #keepAlive = false;

  constructor(method: string, sink: ReplySink) {
    this.#method = method;
    this.#sink = sink;
  }

  /** Whether the reply is whole and its connection may carry another request. */
  get isReusable(): boolean {
    return this.#state === 'done' && this.#keepAlive;
  }

  /** Takes the next bytes, which it does not keep. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    while (bytes.length > 0) {
      switch (this.#state) {
        case 'head':
          bytes = this.#readHead(bytes);
          break;
        case 'length':
          bytes = this.#readLength(bytes);
          break;
        case 'chunked': {
          const chunks = this.#chunks as ChunkedDecoder;
          bytes = chunks.push(bytes, (piece) => this.#sink.onBody(piece));
          if (chunks.done) this.#end();
          break;
        }
        case 'until-close':
          this.#sink.onBody(bytes);
          return;
        case 'done':
          // Not ours to judge, but the connection is not to be trusted with another request.
          this.#keepAlive = false;
          return;
      }
    }
  }

  /** The connection has ended: whether that is how the reply was to end, or it was complete before. */
  finish(): boolean {
    this.#keepAlive = false;
    if (this.#state === 'until-close') this.#end();
    return this.#state === 'done';
  }

  #readHead(chunk: Buffer): Buffer {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const { end, next } = findEnd(bytes, Math.max(0, this.#pending.length - 3));
    this.#checkStart(bytes);
    if (this.#headBytes + (end === -1 ? bytes.length : end) > MAX_HEAD_BYTES) {
      throw new MalformedReply('an endless head');
    }
    if (end === -1) {
      // A copy: the bytes are only lent.
      this.#pending = bytes === chunk ? Buffer.from(chunk) : bytes;
      return bytes.subarray(bytes.length);
    }
    this.#pending = Buffer.alloc(0);
    this.#headBytes += end;
    this.#takeHead(bytes.toString('latin1', 0, end).split(/\r?\n/));
    return bytes === chunk ? bytes.subarray(next) : Buffer.from(bytes.subarray(next));
  }

  #checkStart(bytes: Buffer): void {
    const start = bytes.toString('latin1', 0, Math.min(7, bytes.length));
    if (!'HTTP/1.'.startsWith(start)) throw new MalformedReply('something else came');
  }

  #takeHead([line = '', ...lines]: string[]): void {
    const [, minor, code, words = ''] = STATUS_LINE.exec(line) ?? [];
    if (code === undefined) throw new MalformedReply('its status line is malformed');
    const status = Number(code);
    const headers = lines.map(parseField);
    if (status < 200) {
      if (status === 101) throw new MalformedReply('it changes the protocol, which nobody asked for');
      this.#interims += 1;
      if (this.#interims > MAX_INTERIM) throw new MalformedReply('endless interim answers');
      return;
    }
    const httpVersion = minor === '0' ? '1.0' : '1.1';
    const chunked = isChunked(headers, httpVersion);
    const length = readLengths(headers);
    if (chunked && length !== undefined) {
      throw new MalformedReply('both a Content-Length and a Transfer-Encoding');
    }
    this.#keepAlive = staysOpen(headers, httpVersion);
    this.#frame(status, { chunked, length });
    const reason = /[\x80-\xff]/.test(words) ? decodeHeaderValue(Buffer.from(words, 'latin1')) : words;
    this.#sink.onHead({ httpVersion, status, reason, headers, length });
    if (this.#state === 'done') this.#sink.onEnd();
  }

  /** Where the body ends (RFC 9112, section 6.3). */
  #frame(status: number, { chunked, length }: { chunked: boolean; length: number | undefined }): void {
    const none = this.#method === 'HEAD' || status === 204 || status === 304;
    if (none || length === 0) this.#state = 'done';
    else if (chunked) {
      this.#state = 'chunked';
      this.#chunks = new ChunkedDecoder();
    } else if (length !== undefined) {
      this.#state = 'length';
      this.#missing = length;
    } else this.#state = 'until-close';
  }

  #readLength(bytes: Buffer): Buffer {
    const piece = bytes.length <= this.#missing ? bytes : bytes.subarray(0, this.#missing);
    this.#missing -= piece.length;
    this.#sink.onBody(piece);
    if (this.#missing === 0) this.#end();
    return bytes.subarray(piece.length);
  }

  #end(): void {
    this.#state = 'done';
    this.#sink.onEnd();
  }
}

/** Where the head ends, and what follows begins; line ends without a carriage return are let pass (RFC 9112, 2.2). */
function findEnd(bytes: Buffer, from: number): { end: number; next: number } {
  for (let at = bytes.indexOf(10, from); at !== -1; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return { end: withoutReturn(bytes, at), next: at + 2 };
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return { end: withoutReturn(bytes, at), next: at + 3 };
  }
  return { end: -1, next: -1 };
}

function withoutReturn(bytes: Buffer, at: number): number {
  return bytes[at - 1] === 13 ? at - 1 : at;
}

function parseField(line: string): HeaderPair {
  const [, name, value] = FIELD.exec(line) ?? [];
  if (name === undefined || value === undefined) {
    throw new MalformedReply(
      /^[ \t]/.test(line) ? 'a folded header field' : 'a malformed header name or header value',
    );
  }
  return [name, /[\x80-\xff]/.test(value) ? decodeHeaderValue(Buffer.from(value, 'latin1')) : value];
}

function valuesOf(headers: HeaderList, name: string): string[] {
  return headers
    .filter(([key]) => key.length === name.length && key.toLowerCase() === name)
    .flatMap(([, value]) => value.split(',').map((part) => part.trim().toLowerCase()));
}

/** The same length twice is one length, two different ones are an attack (RFC 9112, section 6.3). */
function readLengths(headers: HeaderList): number | undefined {
  const lengths = [...new Set(valuesOf(headers, 'content-length'))];
  if (lengths.length === 0) return undefined;
  if (lengths.length > 1) throw new MalformedReply('its Content-Length fields do not agree');
  const length = /^\d{1,16}$/.test(lengths[0] as string) ? Number(lengths[0]) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw new MalformedReply('its Content-Length is not a number of bytes');
  return length;
}

function isChunked(headers: HeaderList, httpVersion: string): boolean {
  const codings = valuesOf(headers, 'transfer-encoding').filter((coding) => coding !== 'identity');
  if (codings.length === 0) return false;
  if (codings.length > 1 || codings[0] !== 'chunked') throw new MalformedReply('an unknown transfer coding');
  if (httpVersion === '1.0') throw new MalformedReply('a transfer coding in HTTP/1.0');
  return true;
}

function staysOpen(headers: HeaderList, httpVersion: string): boolean {
  const options = valuesOf(headers, 'connection');
  return !options.includes('close') && (httpVersion === '1.1' || options.includes('keep-alive'));
}
