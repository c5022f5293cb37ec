/** A reply that is not HTTP, or could be understood in two ways; the message says what is wrong with it. */
export class MalformedReply extends Error {}

/** Chunk extensions and trailers longer than this are an attack. */
const MAX_LINE_BYTES = 16 * 1024;

const CR = 13;
const LF = 10;

/** Takes the framing off a chunked body (RFC 9112, section 7.1), however its bytes are cut. Trailers are dropped. */
export class ChunkedDecoder {
  /** The last chunk and its trailers have been seen. */
  done = false;
  #state: 'size' | 'data' | 'data-end' | 'trailers' = 'size';
  #line = '';
  #missing = 0;
  #trailerBytes = 0;

  /** Hands out the content in these bytes, and returns those behind the end of the body. */
  push(chunk: Buffer, onBody: (bytes: Buffer) => void): Buffer {
    let bytes = chunk;
    while (bytes.length > 0 && !this.done) {
      if (this.#state === 'data') {
        const piece = bytes.length <= this.#missing ? bytes : bytes.subarray(0, this.#missing);
        this.#missing -= piece.length;
        if (this.#missing === 0) this.#state = 'data-end';
        bytes = bytes.subarray(piece.length);
        onBody(piece);
      } else {
        bytes = this.#readLine(bytes);
      }
    }
    return bytes;
  }

  #readLine(bytes: Buffer): Buffer {
    const end = bytes.indexOf(LF);
    this.#line += bytes.toString('latin1', 0, end === -1 ? bytes.length : end + 1);
    if (this.#line.length > MAX_LINE_BYTES) throw new MalformedReply('an endless line between chunks');
    if (end === -1) return bytes.subarray(bytes.length);
    const line = this.#line;
    this.#line = '';
    if (line.charCodeAt(line.length - 2) !== CR) throw new MalformedReply('a bad chunk');
    this.#takeLine(line.slice(0, -2));
    return bytes.subarray(end + 1);
  }

  #takeLine(line: string): void {
    switch (this.#state) {
      case 'size': {
        const size = /^([0-9a-f]{1,13})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/i.exec(line)?.[1];
        if (size === undefined) throw new MalformedReply('a bad chunk size');
        this.#missing = Number.parseInt(size, 16);
        this.#state = this.#missing === 0 ? 'trailers' : 'data';
        return;
      }
      case 'data-end':
        if (line !== '') throw new MalformedReply('a chunk longer than its size');
        this.#state = 'size';
        return;
      default:
        this.#trailerBytes += line.length;
        if (this.#trailerBytes > MAX_LINE_BYTES) throw new MalformedReply('endless trailers');
        if (line === '') this.done = true;
    }
  }
}
