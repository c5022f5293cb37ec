/** The frames both sides speak (the other end is host/nettool_host/frames.py): a fixed head, a head part, a body part. */
export const FRAME = {
  CONFIG: 1,
  REQUEST: 2,
  BODY: 3,
  ABORT: 4,
  CREDIT: 5,
  FILE_REPLY: 6,
  RECALL: 7,
  WS_OPEN: 8,
  WS_DATA: 9,
  WS_GONE: 10,
  READY: 32,
  FAILED: 33,
  HEAD: 34,
  DATA: 35,
  FILE: 36,
  ERROR: 37,
  RETURN: 38,
  ACK: 39,
  WS_ACCEPT: 40,
  WS_SEND: 41,
  WS_CLOSE: 42,
  TOOK: 43,
  HINT: 44,
  TRAILERS: 45,
} as const;

/** Bits of a frame's flags. */
export const FLAG = {
  /** The last frame of a request's or answer's content. */
  END: 1,
  /** The body part is the path of a file that holds the content. */
  SPOOLED: 2,
  /** Why an exchange was aborted. */
  TIMED_OUT: 4,
  /** A WebSocket message is text. */
  TEXT: 8,
  /** The answer had already begun. */
  LIVE: 16,
  /** Fields follow the content. */
  TRAILERS: 32,
} as const;

const HEADER_BYTES = 20;

/** What a frame holds when it is sent; the head part is Latin-1. */
export interface OutgoingFrame {
  readonly kind: number;
  readonly id?: number;
  readonly flags?: number;
  /** Where the second part of the head begins, in a frame that has a `lead`. */
  readonly number?: number;
  /** The head's first part, when it is given in two. */
  readonly lead?: string | undefined;
  readonly head?: string;
  readonly body?: Uint8Array | undefined;
}

/** Several frames as one buffer, so that they leave in one write. */
export function encodeFrames(frames: readonly OutgoingFrame[]): Buffer {
  let size = 0;
  for (const { lead = '', head = '', body } of frames) {
    size += HEADER_BYTES + lead.length + head.length + (body?.length ?? 0);
  }
  const buffer = Buffer.allocUnsafe(size);
  let at = 0;
  for (const frame of frames) at = writeFrame(buffer, at, frame);
  return buffer;
}

function writeFrame(buffer: Buffer, start: number, frame: OutgoingFrame): number {
  const { kind, id = 0, flags = 0, lead = '', number = lead.length, head = '', body } = frame;
  const headLength = lead.length + head.length;
  const length = headLength + (body?.length ?? 0);
  buffer.writeUInt32LE(length, start);
  buffer.writeUInt32LE(id, start + 4);
  buffer.writeUInt32LE(kind | (flags << 8), start + 8);
  buffer.writeUInt32LE(number, start + 12);
  buffer.writeUInt32LE(headLength, start + 16);
  let at = start + HEADER_BYTES;
  if (lead !== '') at += buffer.write(lead, at, 'latin1');
  if (head !== '') at += buffer.write(head, at, 'latin1');
  if (body !== undefined && body.length > 0) buffer.set(body, at);
  return start + HEADER_BYTES + length;
}

/** A frame that has arrived. */
export interface IncomingFrame {
  readonly kind: number;
  readonly id: number;
  readonly flags: number;
  readonly number: number;
  /** The head part, as Latin-1. */
  readonly head: string;
  /** The body part: a view into what was read, empty when there is none. */
  readonly body: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** Cuts what a stream brings into frames. */
export class FrameReader {
  #parts: Buffer[] = [];
  #size = 0;
  /** How many bytes are needed before looking again makes sense. */
  #needed = HEADER_BYTES;

  /** Hands every complete frame to `onFrame`. */
  feed(chunk: Buffer, onFrame: (frame: IncomingFrame) => void): void {
    let data = chunk;
    if (this.#size > 0) {
      this.#parts.push(chunk);
      this.#size += chunk.length;
      if (this.#size < this.#needed) return;
      data = Buffer.concat(this.#parts, this.#size);
    }
    let at = 0;
    this.#needed = HEADER_BYTES;
    while (data.length - at >= HEADER_BYTES) {
      const end = at + HEADER_BYTES + data.readUInt32LE(at);
      if (end > data.length) {
        this.#needed = end - at;
        break;
      }
      const kind = data.readUInt32LE(at + 8);
      const middle = at + HEADER_BYTES + data.readUInt32LE(at + 16);
      onFrame({
        kind: kind & 0xff,
        id: data.readUInt32LE(at + 4),
        flags: (kind >> 8) & 0xff,
        number: data.readUInt32LE(at + 12),
        head: middle > at + HEADER_BYTES ? data.toString('latin1', at + HEADER_BYTES, middle) : '',
        body: end > middle ? data.subarray(middle, end) : NOTHING,
      });
      at = end;
    }
    this.#size = data.length - at;
    this.#parts = this.#size > 0 ? [data.subarray(at)] : [];
  }
}
