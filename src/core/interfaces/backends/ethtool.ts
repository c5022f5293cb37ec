import { allocateNative, bindLibrary } from '../../platform/ffi.js';
import { loadLibc } from '../../platform/libc.js';

const SIOCETHTOOL = 0x8946n;
const ETHTOOL_GSET = 1;
const ETHTOOL_GDRVINFO = 3;
const AF_INET = 2;
/** SOCK_DGRAM | SOCK_CLOEXEC. */
const SOCKET_TYPE = 0x80002;
const NAME_BYTES = 16;
const DATA_AT = 64;
const DATA_BYTES = 256;
const UNKNOWN_SPEEDS: ReadonlySet<number> = new Set([0, 0xffff, 0xffffffff]);

/** What the driver of a link says. */
export interface LinkSettings {
  readonly speedMbps: number | null;
  readonly duplex: string | null;
  readonly driver: string | null;
}

/** Asks drivers by ethtool's ioctl, which needs no right to read, and no sysfs of the right namespace. */
export interface Ethtool {
  read(name: string): LinkSettings;
  close(): void;
}

/** An {@link Ethtool}; `undefined` without FFI. */
export function createEthtool(): Ethtool | undefined {
  const libc = loadLibc();
  // Variadic in C; on Linux's ABIs (x64, arm64) such arguments travel like any others.
  const control = bindLibrary(null, {
    ioctl: { arguments: ['int32', 'uint64', 'pointer'], return: 'int32' },
  });
  const memory = control === undefined ? undefined : allocateNative(DATA_AT + DATA_BYTES);
  if (libc === undefined || control === undefined || memory === undefined) return undefined;
  const fd = libc.socket(AF_INET, SOCKET_TYPE, 0);
  const data = memory.bytes.subarray(DATA_AT);
  /** `struct ifreq`: the name, and a pointer to the question, which becomes the answer. */
  const ask = (name: string, command: number): Buffer | undefined => {
    memory.bytes.fill(0);
    memory.bytes.write(name.slice(0, NAME_BYTES - 1), 0);
    memory.bytes.writeBigUInt64LE(memory.pointer + BigInt(DATA_AT), NAME_BYTES);
    data.writeUInt32LE(command, 0);
    return control.ioctl(fd, SIOCETHTOOL, memory.pointer) === 0 ? Buffer.from(data) : undefined;
  };
  return {
    read: (name) => ({
      ...decodeEthtoolCommand(ask(name, ETHTOOL_GSET)),
      driver: decodeDriverInfo(ask(name, ETHTOOL_GDRVINFO)),
    }),
    close() {
      if (fd >= 0) libc.close(fd);
      memory.free();
    },
  };
}

/** `struct ethtool_cmd`: speed in two halves, duplex 0, 1 or unknown. */
export function decodeEthtoolCommand(answer: Buffer | undefined): Pick<LinkSettings, 'speedMbps' | 'duplex'> {
  if (answer === undefined) return { speedMbps: null, duplex: null };
  const speed = answer.readUInt16LE(12) + answer.readUInt16LE(28) * 0x10000;
  const duplex = ['half', 'full'][answer.readUInt8(14)] ?? null;
  return { speedMbps: UNKNOWN_SPEEDS.has(speed) ? null : speed, duplex };
}

/** `struct ethtool_drvinfo`: the driver's name after the command. */
export function decodeDriverInfo(answer: Buffer | undefined): string | null {
  if (answer === undefined) return null;
  const name = answer.subarray(4, 36);
  const end = name.indexOf(0);
  return name.toString('latin1', 0, end === -1 ? name.length : end) || null;
}
