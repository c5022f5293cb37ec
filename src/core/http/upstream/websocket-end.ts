import { Transform, type TransformCallback } from 'node:stream';

/** Close with 1012, service restart (RFC 6455, sections 5.5.1 and 7.4; IANA's registry): the client is to come again. */
const CLOSE = Buffer.from('\x88\x11\x03\xf4service restart', 'latin1');

/**
 * Lets the frames of a WebSocket server pass (RFC 6455, section 5.2) until it is told to end: then, after the frame
 * that is under way, there is one of ours that closes, and nothing follows. The client answers it, to whoever it
 * talks with.
 */
export class WebSocketEnd extends Transform {
  /** The beginning of a frame's header that is not whole yet. */
  #header = Buffer.alloc(0);
  /** Bytes of the frame's content that are still to come. */
  #left = 0;
  #isEnding = false;
  #isOver = false;

  /** Ends it in order, as soon as a frame is over. */
  retire(): void {
    if (this.#isEnding || this.writableEnded) return;
    this.#isEnding = true;
    if (this.#left === 0 && this.#header.byteLength === 0) this.#finish();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let at = 0;
    while (at < chunk.byteLength && !this.#isOver) {
      at = this.#left > 0 ? this.#skip(chunk, at) : this.#readHeader(chunk, at);
      if (this.#isEnding && this.#left === 0 && this.#header.byteLength === 0) {
        this.push(chunk.subarray(0, at));
        this.#finish();
      }
    }
    if (this.#isOver) done();
    else done(null, chunk);
  }

  #skip(chunk: Buffer, at: number): number {
    const skipped = Math.min(this.#left, chunk.byteLength - at);
    this.#left -= skipped;
    return at + skipped;
  }

  #readHeader(chunk: Buffer, at: number): number {
    const known = this.#header.byteLength;
    const header = Buffer.concat([this.#header, chunk.subarray(at, at + 14)]);
    const size = headerBytes(header);
    if (size === undefined || header.byteLength < size) {
      this.#header = header;
      return chunk.byteLength;
    }
    this.#header = Buffer.alloc(0);
    this.#left = contentBytes(header);
    return at + size - known;
  }

  #finish(): void {
    this.#isOver = true;
    this.push(CLOSE);
  }
}

/** How long the header is; undefined while that cannot be said. */
function headerBytes(header: Buffer): number | undefined {
  const second = header[1];
  if (second === undefined) return undefined;
  const length = second & 0x7f;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
}

function contentBytes(header: Buffer): number {
  const length = (header[1] as number) & 0x7f;
  if (length === 126) return header.readUInt16BE(2);
  return length === 127 ? Number(header.readBigUInt64BE(2)) : length;
}
