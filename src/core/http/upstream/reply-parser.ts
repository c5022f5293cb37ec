import type { HeaderList, HeaderPair } from '../messages.js';
import { type BodyDecoder, createDecoder } from '../server/decode-body.js';
import { toLatin1 } from '../server/latin1.js';
import { CHUNKED, type Fields, parseFields } from '../server/parse-head.js';
import { Refusal } from '../server/status.js';

/** The head of a reply. */
export interface ReplyHead {
  readonly version: '1.0' | '1.1';
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly HeaderPair[];
  /** How long the content is, when that is known. */
  readonly length: number | undefined;
}

/** Takes what a {@link ReplyParser} finds, in this order; nothing follows `onUpgrade`. */
export interface ReplySink {
  /** A 1xx reply: another one follows. */
  onInterim(status: number, headers: HeaderList): void;
  onHead(head: ReplyHead): void;
  onBody(bytes: Buffer): void;
  onEnd(trailers: HeaderList): void;
  /** 101: what comes from now on, `rest` first, is another protocol. */
  onUpgrade(head: ReplyHead, rest: Buffer): void;
}

/** What a reply may cost. */
export interface ReplyLimits {
  readonly maxHeaderBytes: number;
  readonly maxFields: number;
  /** Replies with a status of 1xx before the one that counts. */
  readonly maxInterim: number;
}

export const REPLY_LIMITS: ReplyLimits = { maxHeaderBytes: 64 * 1024, maxFields: 200, maxInterim: 32 };

type State = 'idle' | 'head' | 'body' | 'until-close' | 'upgraded' | 'broken';

const NO_TRAILERS: HeaderList = [];
const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;

/**
 * Reads the replies of one connection (RFC 9112), however they are cut. Whatever could be understood in two ways is
 * an error: two lengths, a length beside a transfer coding, codings we did not ask for, folded lines, bare line
 * feeds, bytes that nobody asked for. Throws a {@link Refusal}; the connection is then of no use any more.
 */
export class ReplyParser {
  readonly #sink: ReplySink;
  readonly #limits: ReplyLimits;
  #state: State = 'idle';
  #method = '';
  #mayUpgrade = false;
  #interims = 0;
  #pending: Buffer = EMPTY;
  #decoder: BodyDecoder | undefined;
  #keepAlive = true;

  constructor(sink: ReplySink, limits: ReplyLimits = REPLY_LIMITS) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** Whether a reply is complete and the connection can carry another request. */
  get isReusable(): boolean {
    return this.#state === 'idle' && this.#keepAlive;
  }

  /** A request was sent: its reply is expected. */
  begin(method: string, mayUpgrade: boolean): void {
    this.#state = 'head';
    this.#method = method;
    this.#mayUpgrade = mayUpgrade;
    this.#interims = 0;
  }

  push(chunk: Buffer): void {
    try {
      this.#push(chunk);
    } catch (error) {
      this.#state = 'broken';
      throw error;
    }
  }

  /** The connection has ended; a reply that only its end could complete is complete. Throws when it is cut short. */
  finish(): void {
    this.#keepAlive = false;
    if (this.#state === 'idle' || this.#state === 'upgraded' || this.#state === 'broken') return;
    const wasWhole = this.#state === 'until-close';
    const wasEmpty = this.#state === 'head' && this.#pending.byteLength === 0 && this.#interims === 0;
    this.#state = wasWhole ? 'idle' : 'broken';
    if (wasWhole) this.#sink.onEnd(NO_TRAILERS);
    else throw new Refusal(502, wasEmpty ? 'no reply' : 'the reply was cut short');
  }

  #push(chunk: Buffer): void {
    let bytes = chunk;
    while (bytes.byteLength > 0) {
      if (this.#state === 'head') {
        const all = this.#pending.byteLength === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
        const end = this.#findHeadEnd(all);
        if (end === -1) {
          this.#pending = all;
          return;
        }
        this.#pending = EMPTY;
        bytes = all.subarray(end);
        const upgraded = this.#takeHead(toLatin1(all, 0, end));
        if (upgraded !== undefined) {
          this.#sink.onUpgrade(upgraded, bytes);
          return;
        }
      } else if (this.#state === 'body') {
        const decoder = this.#decoder as BodyDecoder;
        bytes = bytes.subarray(decoder.feed(bytes, (content) => this.#sink.onBody(content)));
        if (decoder.done) this.#end(decoder.trailers);
      } else if (this.#state === 'until-close') {
        this.#sink.onBody(bytes);
        return;
      } else {
        throw new Refusal(502, 'bytes that belong to no reply');
      }
    }
  }

  /** Where the first head ends; what cannot become a head is not waited for. */
  #findHeadEnd(bytes: Buffer): number {
    const before = Math.max(0, this.#pending.byteLength - 3);
    const end = bytes.indexOf('\r\n\r\n', before, 'latin1');
    const size = end === -1 ? bytes.byteLength : end;
    if (size > this.#limits.maxHeaderBytes) throw new Refusal(502, 'the head of the reply is too large');
    if (end !== -1) return end + 4;
    const start = toLatin1(bytes, 0, Math.min(8, bytes.byteLength));
    if (!'HTTP/1.1'.startsWith(start) && !'HTTP/1.0'.startsWith(start)) {
      throw new Refusal(502, 'the reply is not HTTP/1');
    }
    for (let lf = bytes.indexOf(LF, before); lf !== -1; lf = bytes.indexOf(LF, lf + 1)) {
      if (bytes[lf - 1] !== CR) throw new Refusal(502, 'a bare line feed');
    }
    return -1;
  }

  /** Takes a head apart; returns it when another protocol begins after it. */
  #takeHead(text: string): ReplyHead | undefined {
    const lineEnd = text.indexOf('\r\n');
    const line = STATUS_LINE.exec(text.slice(0, lineEnd));
    if (line === null) throw new Refusal(502, 'the status line is malformed');
    const fields = parseFields(text, lineEnd + 2, text.length - 2, this.#limits.maxFields);
    if (fields instanceof Refusal) throw new Refusal(502, `the reply is malformed: ${fields.message}`);
    const version = line[1] === '1' ? '1.1' : '1.0';
    const status = Number(line[2]);
    const head = { version, status, reason: line[3] ?? '', headers: fields.headers } as const;
    if (status < 200) return this.#takeInterim(head, fields);
    this.#frame(head, fields);
    return undefined;
  }

  #takeInterim(head: Omit<ReplyHead, 'length'>, fields: Fields): ReplyHead | undefined {
    const { status, version } = head;
    if (version === '1.0' || fields.contentLength !== undefined || fields.transferEncoding !== undefined) {
      throw new Refusal(502, 'an interim reply with content');
    }
    if (status === 101) {
      if (!this.#mayUpgrade) throw new Refusal(502, 'a change of protocol that nobody asked for');
      this.#state = 'upgraded';
      this.#keepAlive = false;
      return { ...head, length: undefined };
    }
    this.#interims += 1;
    if (this.#interims > this.#limits.maxInterim) throw new Refusal(502, 'too many interim replies');
    this.#sink.onInterim(status, head.headers);
    return undefined;
  }

  /** Decides where the reply ends (RFC 9112, section 6.3). */
  #frame(head: Omit<ReplyHead, 'length'>, fields: Fields): void {
    const { contentLength, transferEncoding } = fields;
    const length = contentLength === undefined ? undefined : readLength(contentLength);
    if (transferEncoding !== undefined) {
      if (length !== undefined) throw new Refusal(502, 'both Content-Length and Transfer-Encoding');
      if (head.version === '1.0') throw new Refusal(502, 'Transfer-Encoding in HTTP/1.0');
      if (transferEncoding !== 'chunked') throw new Refusal(502, 'an unknown transfer coding');
    }
    const { status } = head;
    if (status === 204 && (transferEncoding !== undefined || (length ?? 0) > 0)) {
      throw new Refusal(502, 'content where there is none');
    }
    this.#keepAlive = isPersistent(fields.connection, head.version);
    this.#sink.onHead({ ...head, length });
    if (this.#method === 'HEAD' || status === 204 || status === 304 || length === 0) {
      this.#end(NO_TRAILERS);
      return;
    }
    if (length === undefined && transferEncoding === undefined) {
      this.#state = 'until-close';
      this.#keepAlive = false;
      return;
    }
    this.#state = 'body';
    this.#decoder = createDecoder(length ?? CHUNKED, {
      ...this.#limits,
      maxBodyBytes: Number.MAX_SAFE_INTEGER,
    });
  }

  #end(trailers: HeaderList): void {
    this.#state = 'idle';
    this.#decoder = undefined;
    this.#sink.onEnd(trailers);
  }
}

/** The space after the status is left out by many who have no words for it. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

function readLength(text: string): number {
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw new Refusal(502, 'the Content-Length is malformed');
  return length;
}

/** Whether the connection stays (RFC 9112, section 9.3). */
function isPersistent(connection: string, version: '1.0' | '1.1'): boolean {
  if (connection === '') return version === '1.1';
  const options = connection.split(',').map((option) => option.trim());
  return !options.includes('close') && (version === '1.1' || options.includes('keep-alive'));
}
