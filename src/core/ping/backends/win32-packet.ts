import { formatIpBytes, parseIpBytes } from '../../net/ip-bytes.js';
import type { IpFamily } from '../../net/lookup.js';
import { describeIcmpError } from '../icmp-words.js';
import { findWrongData } from '../packet.js';
import type { ProbeError, ProbeReply } from '../types.js';

const IP_SUCCESS = 0;
const IP_REQ_TIMED_OUT = 11_010;
const REPLY_4_BYTES = 40;
const REPLY_6_BYTES = 36;
/** Room the API asks for behind the reply: an ICMP error, and its own bookkeeping (IO_STATUS_BLOCK). */
const RESERVE_BYTES = 8 + 16;

/** Status codes of ipexport.h as the ICMP errors they stand for. */
const STATUS_4: Readonly<Record<number, readonly [type: number, code: number]>> = {
  11002: [3, 0],
  11003: [3, 1],
  11004: [3, 2],
  11005: [3, 3],
  11009: [3, 4],
  11013: [11, 0],
  11014: [11, 1],
  11015: [12, 0],
  11016: [4, 0],
};
const STATUS_6: Readonly<Record<number, readonly [type: number, code: number]>> = {
  11002: [1, 0],
  11003: [1, 3],
  11004: [1, 1],
  11005: [1, 4],
  11009: [2, 0],
  11013: [3, 0],
  11014: [3, 1],
  11015: [4, 0],
};

/** How large the reply buffer of IcmpSendEcho2 and Icmp6SendEcho2 has to be. */
export function replyBufferBytes(family: IpFamily, sizeBytes: number): number {
  return (family === 4 ? REPLY_4_BYTES : REPLY_6_BYTES) + sizeBytes + RESERVE_BYTES;
}

/** `IP_OPTION_INFORMATION` of x64: TTL, service type, flags (2 forbids fragments), no options. */
export function encodeIpOptions({ ttl = 128, trafficClass = 0, dontFragment = false }): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(ttl, 0);
  bytes.writeUInt8(trafficClass, 1);
  bytes.writeUInt8(dontFragment ? 2 : 0, 2);
  return bytes;
}

/** `sockaddr_in6` as Windows has it (family 23). */
export function encodeWindowsAddress6(address: string): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(23, 0);
  bytes.set(parseIpBytes(address) ?? [], 8);
  const zone = Number(address.split('%')[1] ?? 0);
  bytes.writeUInt32LE(Number.isInteger(zone) ? zone : 0, 24);
  return bytes;
}

/** What a call came to: the reply buffer and the address it was at, and the time measured around the call. */
export interface WindowsResult {
  readonly reply: Buffer;
  readonly pointer: bigint;
  readonly elapsedMs: number;
  readonly sent: Buffer;
  /** The system error when the call brought no reply at all. */
  readonly lastError: number;
}

/** A reply or an error; `undefined` when nobody answered in time. */
export function decodeWindowsReply(
  family: IpFamily,
  result: WindowsResult,
): ProbeReply | ProbeError | undefined {
  const { reply, lastError } = result;
  const status = lastError !== 0 ? lastError : reply.readUInt32LE(family === 4 ? 4 : 28);
  if (status === IP_REQ_TIMED_OUT) return undefined;
  if (status !== IP_SUCCESS)
    return toError(family, status, lastError === 0 ? replyAddress(family, reply) : null);
  return family === 4 ? decodeReply4(result) : decodeReply6(result);
}

function replyAddress(family: IpFamily, reply: Buffer): string {
  return formatIpBytes(family === 4 ? reply.subarray(0, 4) : reply.subarray(6, 22));
}

/** `ICMP_ECHO_REPLY`: the data is where its pointer says, inside the buffer. */
function decodeReply4({ reply, pointer, elapsedMs, sent }: WindowsResult): ProbeReply {
  const size = reply.readUInt16LE(12);
  const offset = Number(reply.readBigUInt64LE(16) - pointer);
  const inside = offset >= REPLY_4_BYTES && offset + size <= reply.length;
  const data = inside
    ? reply.subarray(offset, offset + size)
    : reply.subarray(REPLY_4_BYTES, REPLY_4_BYTES + size);
  const wrongData = findWrongData(sent, data);
  const base = { timeMs: elapsedMs, bytes: size + 8, ttl: reply.readUInt8(24) };
  return wrongData === undefined ? base : { ...base, wrongData };
}

/** `ICMPV6_ECHO_REPLY`, packed: the data follows; there is no hop limit. */
function decodeReply6({ reply, elapsedMs, sent }: WindowsResult): ProbeReply {
  const data = reply.subarray(REPLY_6_BYTES, REPLY_6_BYTES + sent.length);
  const wrongData = findWrongData(sent, data);
  const base = { timeMs: elapsedMs, bytes: sent.length + 8, ttl: null };
  return wrongData === undefined ? base : { ...base, wrongData };
}

function toError(family: IpFamily, status: number, from: string | null): ProbeError {
  const known = (family === 4 ? STATUS_4 : STATUS_6)[status];
  if (known === undefined) {
    return { from: null, icmpType: null, icmpCode: null, message: `General failure (${status})` };
  }
  const [icmpType, icmpCode] = known;
  const message = describeIcmpError(family, { type: icmpType, code: icmpCode, info: 0 });
  return { from, icmpType, icmpCode, message };
}
