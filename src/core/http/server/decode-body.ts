import type { HeaderList } from '../messages.js';
import { parseFields } from './parse-fields.js';
import { CHUNKED } from './parse-head.js';
import { Refusal } from './status.js';

/** Takes the bytes of a connection and gives those of one body. */
export interface BodyDecoder {
  /** True once the last byte has been seen. */
  done: boolean;
  /** Bytes still to come, when that is known. */
  readonly remaining: number;
  readonly trailers: HeaderList;
  /** Reads from `bytes`, hands content to `sink`, tells how many bytes were the body's. Throws a {@link Refusal}. */
  feed(bytes: Buffer, sink: (content: Buffer) => void): number;
}

/** What a body may cost beyond its content. */
export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxFields: number;
  /** Spaces in the line of a chunk are let pass, trailers that are none left out. */
  readonly isLenient?: boolean;
}

/** The decoder for a body of that length ({@link CHUNKED} for one in chunks). */
export function createDecoder(length: number, limits: BodyLimits): BodyDecoder {
  return length === CHUNKED ? new ChunkedDecoder(limits) : new LengthDecoder(length);
}

const NO_TRAILERS: HeaderList = [];

class LengthDecoder implements BodyDecoder {
  done: boolean;
  remaining: number;
  readonly trailers = NO_TRAILERS;

  constructor(length: number) {
    this.remaining = length;
    this.done = length === 0;
  }

  feed(bytes: Buffer, sink: (content: Buffer) => void): number {
    const content = bytes.length <= this.remaining ? bytes : bytes.subarray(0, this.remaining);
    this.remaining -= content.length;
    this.done = this.remaining === 0;
    if (content.length > 0) sink(content);
    return content.length;
  }
}

/** A chunk line is its size in hexadecimal and, after semicolons, extensions nobody uses (RFC 9112, section 7.1). */
const CHUNK_LINE =
  /^([0-9A-Fa-f]{1,13})(?:;[!#$%&'*+\-.^_`|~\w]+(?:=(?:[!#$%&'*+\-.^_`|~\w]+|"(?:[\t\x20!\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/;
const LENIENT_CHUNK_LINE = /^([0-9A-Fa-f]{1,13})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const MAX_CHUNK_LINE_BYTES = 256;
/** Extensions and tiny chunks cost more than they carry: framing may not outgrow the content by more than this. */
const MAX_OVERHEAD_BYTES = 16_384;

/** Fields that frame, route or authenticate a message come too late in its trailers (RFC 9110, section 6.5.1). */
const NEVER_TRAILERS =
  /^(?:transfer-encoding|content-(?:length|encoding|type|range)|host|te|trailer|connection|keep-alive|upgrade|expect|authorization|proxy-.*|cookie|set-cookie|cache-control|range|if-.*|max-forwards)$/i;

type ChunkState = 'size' | 'data' | 'data-end' | 'trailers';

class ChunkedDecoder implements BodyDecoder {
  done = false;
  remaining = Number.POSITIVE_INFINITY;
  trailers: HeaderList = NO_TRAILERS;
  readonly #limits: BodyLimits;
  #state: ChunkState = 'size';
  /** The line, or the trailer section, of which not all has come. */
  #line = '';
  #chunkLeft = 0;
  #contentBytes = 0;
  #extensionBytes = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  feed(bytes: Buffer, sink: (content: Buffer) => void): number {
    let at = 0;
    while (at < bytes.length && !this.done) {
      if (this.#state === 'data') {
        const content = bytes.subarray(at, at + this.#chunkLeft);
        at += content.length;
        this.#chunkLeft -= content.length;
        if (this.#chunkLeft === 0) this.#state = 'data-end';
        sink(content);
      } else if (this.#state === 'trailers') {
        at += this.#feedTrailers(bytes, at);
      } else {
        at += this.#feedLine(bytes, at);
      }
    }
    return at;
  }

  /** Collects up to CR LF; a bare one of the two is no line end (the smuggling of CVE-2022-32214 and its kin). */
  #feedLine(bytes: Buffer, from: number): number {
    const lf = bytes.indexOf(0x0a, from);
    const to = lf < 0 ? bytes.length : lf + 1;
    this.#line += bytes.toString('latin1', from, Math.min(to, from + MAX_CHUNK_LINE_BYTES + 3));
    if (this.#line.length > MAX_CHUNK_LINE_BYTES + 2) throw new Refusal(400, 'a chunk line is too long');
    if (lf < 0) {
      if (/[\r\n]./s.test(this.#line)) throw new Refusal(400, 'a bare carriage return in a chunk line');
      if (this.#state === 'data-end' && !'\r\n'.startsWith(this.#line))
        throw new Refusal(400, 'a chunk is too long');
      return to - from;
    }
    if (!this.#line.endsWith('\r\n')) throw new Refusal(400, 'a bare line feed in a chunk line');
    const line = this.#line.slice(0, -2);
    this.#line = '';
    if (this.#state === 'data-end') {
      if (line !== '') throw new Refusal(400, 'a chunk is longer than it said');
      this.#state = 'size';
    } else {
      this.#begin(line);
    }
    return to - from;
  }

  #begin(line: string): void {
    const size = (this.#limits.isLenient === true ? LENIENT_CHUNK_LINE : CHUNK_LINE).exec(line)?.[1];
    if (size === undefined) throw new Refusal(400, 'a chunk size is malformed');
    this.#extensionBytes += line.length - size.length;
    if (this.#extensionBytes > MAX_OVERHEAD_BYTES) throw new Refusal(400, 'too many chunk extensions');
    this.#chunkLeft = Number.parseInt(size, 16);
    this.#contentBytes += this.#chunkLeft;
    if (this.#contentBytes > this.#limits.maxBodyBytes) throw new Refusal(413, 'the body is too large');
    this.#state = this.#chunkLeft === 0 ? 'trailers' : 'data';
  }

  #feedTrailers(bytes: Buffer, from: number): number {
    const before = this.#line.length;
    // Never far beyond the limit, however much has come.
    const room = this.#limits.maxHeaderBytes + 4 - before;
    const section = this.#line + bytes.toString('latin1', from, Math.min(bytes.length, from + room));
    const end = section.startsWith('\r\n') ? 0 : section.indexOf('\r\n\r\n');
    if (end < 0) {
      if (section.length > this.#limits.maxHeaderBytes) throw new Refusal(431, 'the trailers are too large');
      this.#line = section;
      return section.length - before;
    }
    const last = end === 0 ? 2 : end + 4;
    if (end > 0) this.trailers = parseTrailers(section.slice(0, end + 2), this.#limits);
    this.done = true;
    this.remaining = 0;
    return last - before;
  }
}

function parseTrailers(section: string, limits: BodyLimits): HeaderList {
  const fields = parseFields(section, 0, section.length, limits);
  if (fields instanceof Refusal) throw fields;
  const trailers = fields.headers.filter(([name]) => !NEVER_TRAILERS.test(name));
  if (trailers.length < fields.headers.length && limits.isLenient !== true) {
    throw new Refusal(400, 'a trailer that is no trailer');
  }
  return trailers;
}
