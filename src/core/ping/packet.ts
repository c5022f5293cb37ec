import type { IpFamily } from '../net/lookup.js';
import type { WrongData } from './types.js';

/** An ICMP header is 8 bytes, in both versions. */
export const ICMP_HEADER_BYTES = 8;

/** Payloads this long carry the time they were sent, as iputils' do. */
const TIMESTAMP_BYTES = 16;

/** Echo types (RFC 792, RFC 4443). */
export const ECHO: Readonly<Record<IpFamily, { request: number; reply: number }>> = {
  4: { request: 8, reply: 0 },
  6: { request: 128, reply: 129 },
};

/** An echo message taken apart. */
export interface EchoMessage {
  readonly type: number;
  readonly code: number;
  readonly identifier: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

/** The internet checksum (RFC 1071) of a message; 0 when a message with its checksum in place is intact. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
  if (bytes.length % 2 === 1) sum += (bytes[bytes.length - 1] as number) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** An echo request whose payload is a repeated pattern, or 00 01 02 … as iputils fills it. */
export function createEchoRequest(family: IpFamily, sizeBytes: number, pattern?: Uint8Array): Buffer {
  const packet = Buffer.alloc(ICMP_HEADER_BYTES + sizeBytes);
  packet[0] = ECHO[family].request;
  for (let i = 0; i < sizeBytes; i++) {
    packet[ICMP_HEADER_BYTES + i] = pattern?.length ? (pattern[i % pattern.length] as number) : i & 0xff;
  }
  return packet;
}

/** Puts identifier, sequence number, time of sending and, for IPv4, the checksum into a request. */
export function stampEchoRequest(
  packet: Buffer,
  { identifier, sequence, nowMs }: { identifier: number; sequence: number; nowMs: number },
): void {
  packet.writeUInt16BE(0, 2);
  packet.writeUInt16BE(identifier, 4);
  packet.writeUInt16BE(sequence & 0xffff, 6);
  if (packet.length >= ICMP_HEADER_BYTES + TIMESTAMP_BYTES) {
    const seconds = Math.floor(nowMs / 1000);
    packet.writeUInt32LE(seconds, 8);
    packet.writeUInt32LE(Math.floor((nowMs - seconds * 1000) * 1000), 16);
  }
  // ICMPv6's checksum covers addresses only the kernel knows yet; it fills it in.
  if (packet[0] === ECHO[4].request) packet.writeUInt16BE(checksum(packet), 2);
}

/** The echo request or reply in a message that starts at its ICMP header; `undefined` for anything else. */
export function decodeEcho(message: Buffer, family: IpFamily): EchoMessage | undefined {
  if (message.length < ICMP_HEADER_BYTES) return undefined;
  const type = message.readUInt8(0);
  if (type !== ECHO[family].request && type !== ECHO[family].reply) return undefined;
  return {
    type,
    code: message.readUInt8(1),
    identifier: message.readUInt16BE(4),
    sequence: message.readUInt16BE(6),
    payload: message.subarray(ICMP_HEADER_BYTES),
  };
}

/** What an ICMPv4 packet says when its IP header comes along: raw sockets, and everything on macOS. */
export function stripIpHeader(packet: Buffer): { ttl: number; message: Buffer } | undefined {
  const headerBytes = ((packet[0] ?? 0) & 0x0f) * 4;
  if (packet.length < headerBytes + ICMP_HEADER_BYTES || headerBytes < 20) return undefined;
  return { ttl: packet.readUInt8(8), message: packet.subarray(headerBytes) };
}

/** An ICMP error in-band (macOS): its type, code and 32-bit field, and the echo request it is about. */
export function decodeIcmpError(message: Buffer, family: IpFamily) {
  if (message.length < ICMP_HEADER_BYTES) return undefined;
  const type = message.readUInt8(0);
  const isError = family === 4 ? [3, 4, 5, 11, 12].includes(type) : type >= 1 && type <= 4;
  if (!isError) return undefined;
  const embedded = message.subarray(ICMP_HEADER_BYTES);
  const original = family === 4 ? stripIpHeader(embedded)?.message : embedded.subarray(40);
  const echo = original === undefined ? undefined : decodeEcho(original, family);
  if (echo === undefined) return undefined;
  return {
    type,
    code: message.readUInt8(1),
    info: message.readUInt32BE(4),
    echo,
    to: embedded.subarray(16, 20),
  };
}

/** The first payload byte that is not as sent, time stamp aside; `undefined` when all that came is right. */
export function findWrongData(sent: Buffer, received: Buffer): WrongData | undefined {
  const length = Math.min(sent.length, received.length);
  for (let offset = sent.length >= TIMESTAMP_BYTES ? TIMESTAMP_BYTES : 0; offset < length; offset++) {
    if (sent[offset] !== received[offset]) {
      const [expected = 0, actual = 0] = [sent[offset], received[offset]];
      return { offset, expected, actual, payloadHex: received.toString('hex') };
    }
  }
  return undefined;
}
