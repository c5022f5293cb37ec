import { getSystemErrorName } from 'node:util';
import { allocateNative, type BoundFunctions, bindLibrary, readErrno } from './ffi.js';
import { platform } from './os.js';

const SIGNATURES = {
  socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
  close: { arguments: ['int32'], return: 'int32' },
  bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
  connect: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
  getsockname: { arguments: ['int32', 'buffer', 'buffer'], return: 'int32' },
  setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
  // The sizes returned are far below 2^31, so the low half of ssize_t is the whole of it.
  sendto: { arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'], return: 'int32' },
  recv: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int32' },
  recvmsg: { arguments: ['int32', 'pointer', 'int32'], return: 'int32' },
  clock_gettime: { arguments: ['int32', 'buffer'], return: 'int32' },
  if_nametoindex: { arguments: ['string'], return: 'uint32' },
} as const;

/** The socket calls of libc, as they are: a negative result means {@link readErrno} says why. */
export type Libc = BoundFunctions<typeof SIGNATURES>;

let libc: Libc | null | undefined;

/** libc, where FFI can reach it (Linux and macOS); else `undefined`. */
export function loadLibc(): Libc | undefined {
  libc ??= bindLibrary(null, SIGNATURES) ?? null;
  return libc ?? undefined;
}

/** The error of the libc call that has just failed, in the shape of Node's own system errors. */
export function systemError(syscall: string, errno: number = readErrno()): NodeJS.ErrnoException {
  const code = nameErrno(errno);
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall });
}

/** `EACCES` for 13. */
export function nameErrno(errno: number): string {
  return errno > 0 ? getSystemErrorName(-errno) : `errno ${errno}`;
}

/** `setsockopt` with an int. */
export function setIntOption(fd: number, level: number, option: number, value: number): boolean {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return loadLibc()?.setsockopt(fd, level, option, bytes, 4) === 0;
}

/** Nanoseconds of the realtime clock since a moment of its own choosing; the clock kernel time stamps use. */
export interface RealtimeClock {
  nowNs(): number;
  /** A kernel time stamp on the same scale. */
  toNs(seconds: number, nanoseconds: number): number;
}

/** A {@link RealtimeClock}: relative to its start, so that nanoseconds stay exact in a number. */
export function createRealtimeClock(libc: Libc): RealtimeClock {
  const spec = Buffer.alloc(16);
  libc.clock_gettime(0, spec);
  const baseSeconds = Number(spec.readBigInt64LE(0));
  const toNs = (seconds: number, nanoseconds: number): number => (seconds - baseSeconds) * 1e9 + nanoseconds;
  return {
    nowNs() {
      libc.clock_gettime(0, spec);
      return toNs(Number(spec.readBigInt64LE(0)), Number(spec.readBigInt64LE(8)));
    },
    toNs,
  };
}

/** What one `recvmsg` brought: views that the next call overwrites. */
export interface ReceivedMessage {
  readonly data: Buffer;
  /** The sender's sockaddr. */
  readonly name: Buffer;
  /** The control messages, see `decodeControl`. */
  readonly control: Buffer;
}

/** Reads messages of a socket with sender and control data, without waiting. */
export interface MessageReader {
  /** The next message; else the errno (EAGAIN when there is none). */
  read(flags: number): ReceivedMessage | number;
  free(): void;
}

/** Where the fields of a `msghdr` are: LP64 Linux (glibc and musl, little endian) and macOS. */
const MSGHDR =
  platform === 'darwin' ? { size: 48, iovlen: 24, control: 32 } : { size: 56, iovlen: 24, control: 32 };
const NAME_BYTES = 128;
const CONTROL_BYTES = 512;
const MSG_DONTWAIT = platform === 'darwin' ? 0x80 : 0x40;
const CONTROLLEN = MSGHDR.control + 8;

/** A {@link MessageReader} for messages up to a size. */
export function createMessageReader(libc: Libc, fd: number, dataBytes: number): MessageReader | undefined {
  const start = { iov: 64, name: 80, control: 80 + NAME_BYTES, data: 80 + NAME_BYTES + CONTROL_BYTES };
  const memory = allocateNative(start.data + dataBytes);
  if (memory === undefined) return undefined;
  const { bytes, pointer } = memory;
  bytes.writeBigUInt64LE(pointer + BigInt(start.name), 0);
  bytes.writeBigUInt64LE(pointer + BigInt(start.iov), 16);
  bytes.writeUInt32LE(1, MSGHDR.iovlen);
  bytes.writeBigUInt64LE(pointer + BigInt(start.control), MSGHDR.control);
  bytes.writeBigUInt64LE(pointer + BigInt(start.data), start.iov);
  bytes.writeBigUInt64LE(BigInt(dataBytes), start.iov + 8);
  return {
    read(flags) {
      bytes.writeUInt32LE(NAME_BYTES, 8);
      bytes.writeUInt32LE(CONTROL_BYTES, CONTROLLEN);
      const length = libc.recvmsg(fd, pointer, flags | MSG_DONTWAIT);
      if (length < 0) return readErrno();
      return {
        data: bytes.subarray(start.data, start.data + Math.min(length, dataBytes)),
        name: bytes.subarray(start.name, start.name + bytes.readUInt32LE(8)),
        control: bytes.subarray(start.control, start.control + bytes.readUInt32LE(CONTROLLEN)),
      };
    },
    free: memory.free,
  };
}
