import type { HeaderList } from './messages.js';
import { parseReplyHead, type ReplyHead, type ReplyRules } from './reply-head.js';
import { type BodyDecoder, type BodyLimits, createDecoder } from './server/decode-body.js';
import { toLatin1 } from './server/latin1.js';
import { CHUNKED } from './server/parse-head.js';
import { Refusal } from './server/status.js';

/** Takes what a {@link ReplyParser} finds, in this order; nothing follows `onUpgrade`. Bytes are only lent. */
export interface ReplySink {
  /** A 1xx reply: another one follows. */
  onInterim(status: number, headers: HeaderList): void;
  onHead(head: ReplyHead): void;
  onBody(bytes: Buffer): void;
  onEnd(trailers: HeaderList): void;
  /** 101: what comes from now on, `rest` first, is another protocol. */
  onUpgrade(head: ReplyHead, rest: Buffer): void;
}

type State = 'idle' | 'head' | 'body' | 'until-close' | 'upgraded' | 'broken';

const NO_TRAILERS: HeaderList = [];
const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
/** Heads longer than this are not kept for the sake of the next one. */
const MAX_KEPT_HEAD = 4096;

/**
 * Reads the replies of one connection (RFC 9112), however they are cut. Whatever could be understood in two ways is
 * an error, unless the rules are lenient: two lengths, a length beside a transfer coding, codings we did not ask for,
 * folded lines, bare line feeds, bytes that nobody asked for. Throws a {@link Refusal}; the connection is then of no use any more.
 */
export class ReplyParser {
  readonly #sink: ReplySink;
  readonly #rules: ReplyRules;
  readonly #bodyLimits: BodyLimits;
  readonly #onContent: (content: Buffer) => void;
  #state: State = 'idle';
  #method = '';
  #mayUpgrade = false;
  #interims = 0;
  #pending: Buffer = EMPTY;
  /** The head before: the next one is often the same, to the letter. */
  #known: ReplyHead | undefined;
  #decoder: BodyDecoder | undefined;
  #keepAlive = true;

  constructor(sink: ReplySink, rules: ReplyRules) {
    this.#sink = sink;
    this.#rules = rules;
    this.#bodyLimits = { ...rules, maxBodyBytes: Number.MAX_SAFE_INTEGER };
    this.#onContent = (content) => sink.onBody(content);
  }

  /** Whether a reply is complete and the connection can carry another request. */
  get isReusable(): boolean {
    return this.#state === 'idle' && this.#keepAlive;
  }

  /** A request was sent: its reply is expected. */
  begin(method: string, mayUpgrade = false): void {
    this.#state = 'head';
    this.#method = method;
    this.#mayUpgrade = mayUpgrade;
    this.#interims = 0;
  }

  /** Takes the next bytes, which it does not keep. */
  push(chunk: Buffer): void {
    try {
      this.#push(chunk);
    } catch (error) {
      this.#state = 'broken';
      throw error;
    }
  }

  /** The connection has ended: whether nothing is missing, or only that was. */
  finish(): boolean {
    this.#keepAlive = false;
    if (this.#state === 'until-close') this.#end(NO_TRAILERS);
    return this.#state === 'idle' || this.#state === 'upgraded';
  }

  #push(chunk: Buffer): void {
    let bytes = chunk;
    while (bytes.byteLength > 0) {
      if (this.#state === 'head') {
        bytes = this.#readHead(bytes);
      } else if (this.#state === 'body') {
        const decoder = this.#decoder as BodyDecoder;
        const used = decoder.feed(bytes, this.#onContent);
        if (decoder.done) this.#end(decoder.trailers);
        if (used === bytes.byteLength) return;
        bytes = bytes.subarray(used);
      } else if (this.#state === 'until-close') {
        this.#sink.onBody(bytes);
        return;
      } else if (this.#rules.isLenient) {
        // Not ours to judge, but the connection is not to be trusted with another request.
        this.#keepAlive = false;
        return;
      } else {
        throw new Refusal(502, 'bytes that belong to no reply');
      }
    }
  }

  /** Reads the next head, as far as it is there; what follows it is returned. */
  #readHead(chunk: Buffer): Buffer {
    const isFirst = this.#pending.byteLength === 0;
    const bytes = isFirst ? chunk : Buffer.concat([this.#pending, chunk]);
    const end = this.#findEnd(bytes);
    if (end === -1) {
      this.#pending = isFirst ? Buffer.from(chunk) : bytes;
      return EMPTY;
    }
    this.#pending = EMPTY;
    const rest = bytes.subarray(end);
    const text = toLatin1(bytes, 0, end);
    this.#takeHead(this.#rules.isLenient ? straighten(text) : text, rest);
    return this.#state === 'upgraded' ? EMPTY : rest;
  }

  /** Where the first head ends; what cannot become a head is not waited for. */
  #findEnd(bytes: Buffer): number {
    const from = Math.max(0, this.#pending.byteLength - 3);
    const end = this.#rules.isLenient
      ? findEmptyLine(bytes, from)
      : bytes.indexOf('\r\n\r\n', from, 'latin1');
    const start = toLatin1(bytes, 0, Math.min(8, bytes.byteLength));
    if (!'HTTP/1.1'.startsWith(start) && !'HTTP/1.0'.startsWith(start)) {
      throw new Refusal(502, 'the reply is not HTTP/1');
    }
    if ((end === -1 ? bytes.byteLength : end) > this.#rules.maxHeaderBytes) {
      throw new Refusal(502, 'the head of the reply is too large');
    }
    if (end !== -1) return this.#rules.isLenient ? end : end + 4;
    if (this.#rules.isLenient) return -1;
    for (let lf = bytes.indexOf(LF, from); lf !== -1; lf = bytes.indexOf(LF, lf + 1)) {
      if (bytes[lf - 1] !== CR) throw new Refusal(502, 'a bare line feed');
    }
    return -1;
  }

  #takeHead(source: string, rest: Buffer): void {
    let head = this.#known;
    if (head?.source === source) Object.freeze(head.headers);
    else {
      head = parseReplyHead(source, this.#rules);
      this.#known = source.length <= MAX_KEPT_HEAD ? head : undefined;
    }
    const { status, length, isChunked } = head;
    if (status < 200) {
      this.#takeInterim(head, rest);
      return;
    }
    this.#keepAlive = head.keepAlive;
    this.#sink.onHead(head);
    // Where the reply ends (RFC 9112, section 6.3).
    if (this.#method === 'HEAD' || status === 204 || status === 304 || length === 0) {
      this.#end(NO_TRAILERS);
    } else if (length === undefined && !isChunked) {
      this.#state = 'until-close';
      this.#keepAlive = false;
    } else {
      this.#state = 'body';
      this.#decoder = createDecoder(length ?? CHUNKED, this.#bodyLimits);
    }
  }

  #takeInterim(head: ReplyHead, rest: Buffer): void {
    if (head.status === 101) {
      if (!this.#mayUpgrade) throw new Refusal(502, 'a change of protocol that nobody asked for');
      this.#state = 'upgraded';
      this.#keepAlive = false;
      this.#sink.onUpgrade(head, rest);
      return;
    }
    this.#interims += 1;
    if (this.#interims > this.#rules.maxInterim) throw new Refusal(502, 'too many interim replies');
    this.#sink.onInterim(head.status, head.headers);
  }

  #end(trailers: HeaderList): void {
    this.#state = 'idle';
    this.#decoder = undefined;
    this.#sink.onEnd(trailers);
  }
}

/** Every line ended by CR LF, and those that are folded in one (RFC 9112, section 5.2). */
function straighten(head: string): string {
  return head.replace(/\r?\n[\t ]+/g, ' ').replace(/\r?\n/g, '\r\n');
}

/** What begins after the first empty line, however lines are ended; -1 before there is one. */
function findEmptyLine(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}
