/** The dump requests of rtnetlink(7). */
export const RTM = { GETLINK: 18, GETADDR: 22, GETROUTE: 26 } as const;

const HEADER_BYTES = 16;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const NLM_F_DUMP_INTR = 0x10;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

/** One message of an answer. */
export interface NetlinkMessage {
  readonly type: number;
  readonly payload: Buffer;
}

/** What a datagram from the kernel holds. */
export interface NetlinkPart {
  readonly messages: readonly NetlinkMessage[];
  /** The answer is complete. */
  readonly done: boolean;
  /** Things changed during the dump; it has to be asked for again. */
  readonly interrupted: boolean;
  /** The errno of a refusal, else 0. */
  readonly errno: number;
}

/** The request for all links, addresses or routes: a header and the family that means all of them. */
export function encodeDumpRequest(type: number, sequence: number): Buffer {
  const request = Buffer.alloc(32);
  request.writeUInt32LE(request.length, 0);
  request.writeUInt16LE(type, 4);
  request.writeUInt16LE(NLM_F_REQUEST | NLM_F_DUMP, 6);
  request.writeUInt32LE(sequence, 8);
  return request;
}

/** Takes a datagram apart; messages of other requests are left out. */
export function decodeDatagram(datagram: Buffer, sequence: number): NetlinkPart {
  const messages: NetlinkMessage[] = [];
  let done = false;
  let interrupted = false;
  let errno = 0;
  for (let at = 0; at + HEADER_BYTES <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > datagram.length) break;
    if (datagram.readUInt32LE(at + 8) === sequence) {
      const type = datagram.readUInt16LE(at + 4);
      const payload = datagram.subarray(at + HEADER_BYTES, at + length);
      if ((datagram.readUInt16LE(at + 6) & NLM_F_DUMP_INTR) !== 0) interrupted = true;
      if (type === NLMSG_ERROR) errno = -payload.readInt32LE(0);
      if (type === NLMSG_DONE || type === NLMSG_ERROR) done = true;
      else messages.push({ type, payload });
    }
    at += align(length);
  }
  return { messages, done, interrupted, errno };
}

/** The attributes of a message behind its fixed part, by type; a type that comes twice keeps its last value. */
export function decodeAttributes(payload: Buffer, offset: number): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (const [type, value] of eachAttribute(payload, offset)) attributes.set(type, value);
  return attributes;
}

/** The attributes one after the other. */
export function* eachAttribute(payload: Buffer, offset: number): Generator<[type: number, value: Buffer]> {
  for (let at = offset; at + 4 <= payload.length; ) {
    const length = payload.readUInt16LE(at);
    if (length < 4 || at + length > payload.length) return;
    // The two high bits say "nested" and "network byte order".
    yield [payload.readUInt16LE(at + 2) & 0x3fff, payload.subarray(at + 4, at + length)];
    at += align(length);
  }
}

/** A string attribute without its final zero. */
export function attributeText(value: Buffer | undefined): string | null {
  if (value === undefined) return null;
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end === -1 ? value.length : end);
}

/** An unsigned 32-bit attribute. */
export function attributeNumber(value: Buffer | undefined): number | null {
  return value === undefined || value.length < 4 ? null : value.readUInt32LE(0);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
