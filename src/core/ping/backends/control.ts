import { decodeSockaddr } from '../../net/sockaddr.js';
import { platform } from '../../platform/os.js';
import { SOCKET } from '../../platform/socket-numbers.js';

/** The kernel's account of an error (`struct sock_extended_err`, ip(7)). */
export interface ExtendedError {
  readonly errno: number;
  /** 1 this system, 2 ICMP, 3 ICMPv6. */
  readonly origin: number;
  readonly type: number;
  readonly code: number;
  /** The MTU, or a redirect's gateway. */
  readonly info: number;
  /** Who sent the ICMP error. */
  readonly offender: string | undefined;
}

/** What control messages say about a packet. */
export interface ControlInfo {
  ttl?: number;
  /** Kernel time of receipt. */
  receivedAt?: { readonly seconds: number; readonly nanoseconds: number };
  error?: ExtendedError;
}

/** `cmsghdr` is 16 bytes aligned to 8 on LP64 Linux, 12 aligned to 4 on macOS. */
const HEADER = platform === 'darwin' ? { bytes: 12, align: 4 } : { bytes: 16, align: 8 };
const LEVEL_IP = 0;
const LEVEL_IPV6 = 41;
const IPV6_HOPLIMIT = platform === 'darwin' ? 47 : 52;
const SCM_TIMESTAMP = platform === 'darwin' ? 2 : SOCKET.SO_TIMESTAMP;

/** Reads the control messages of a `recvmsg`. */
export function decodeControl(control: Buffer): ControlInfo {
  const info: ControlInfo = {};
  for (let at = 0; at + HEADER.bytes <= control.length; ) {
    const length = control.readUInt32LE(at);
    if (length < HEADER.bytes || at + length > control.length) break;
    const level = control.readInt32LE(at + HEADER.bytes - 8);
    const type = control.readInt32LE(at + HEADER.bytes - 4);
    readEntry(info, level, type, control.subarray(at + HEADER.bytes, at + length));
    at += Math.ceil(length / HEADER.align) * HEADER.align;
  }
  return info;
}

function readEntry(info: ControlInfo, level: number, type: number, data: Buffer): void {
  if (level === SOCKET.SOL_SOCKET && type === SCM_TIMESTAMP && data.length >= 12) {
    info.receivedAt = readTime(data);
  } else if (level === LEVEL_IP && (type === SOCKET.IP_TTL || type === SOCKET.IP_RECVTTL)) {
    info.ttl = data.length >= 4 ? data.readInt32LE(0) : data.readUInt8(0);
  } else if (level === LEVEL_IPV6 && type === IPV6_HOPLIMIT) {
    info.ttl = data.readInt32LE(0);
  } else if (isErrorEntry(level, type) && data.length >= 16) {
    info.error = {
      errno: data.readUInt32LE(0),
      origin: data.readUInt8(4),
      type: data.readUInt8(5),
      code: data.readUInt8(6),
      info: data.readUInt32LE(8),
      offender: decodeSockaddr(data.subarray(16))?.address,
    };
  }
}

function isErrorEntry(level: number, type: number): boolean {
  if (SOCKET.IP_RECVERR === 0) return false;
  return (
    (level === LEVEL_IP && type === SOCKET.IP_RECVERR) ||
    (level === LEVEL_IPV6 && type === SOCKET.IPV6_RECVERR)
  );
}

/** A timespec on Linux, a timeval (microseconds in 32 bits) on macOS. */
function readTime(data: Buffer): { seconds: number; nanoseconds: number } {
  const seconds = Number(data.readBigInt64LE(0));
  if (platform === 'darwin') return { seconds, nanoseconds: data.readInt32LE(8) * 1000 };
  return { seconds, nanoseconds: Number(data.readBigInt64LE(8)) };
}
