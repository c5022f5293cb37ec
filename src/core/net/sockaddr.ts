import { platform } from '../platform/os.js';
import { SOCKET } from '../platform/socket-numbers.js';
import { formatIpBytes, parseIpBytes } from './ip-bytes.js';

/** An address as the kernel speaks of it. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
  /** The interface a link-local address belongs to; 0 for none. */
  readonly scopeId: number;
}

/** A `sockaddr_in` or `sockaddr_in6`. */
export function encodeSockaddr(address: string, port = 0, scopeId = 0): Buffer {
  const ip = parseIpBytes(address) ?? Buffer.alloc(4);
  const bytes = Buffer.alloc(ip.length === 4 ? 16 : 28);
  writeFamily(bytes, ip.length === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ip, ip.length === 4 ? 4 : 8);
  if (ip.length === 16) bytes.writeUInt32LE(scopeId, 24);
  return bytes;
}

/** BSD systems keep the length in the first byte and the family in the second. */
function writeFamily(bytes: Buffer, family: number): void {
  if (platform !== 'darwin') return void bytes.writeUInt16LE(family, 0);
  bytes[0] = bytes.length;
  bytes[1] = family;
}

/** What a `sockaddr` says; `undefined` for a family other than IP, and for none. */
export function decodeSockaddr(bytes: Buffer): SocketAddress | undefined {
  if (bytes.length < 8) return undefined;
  const family = platform === 'darwin' ? bytes[1] : bytes.readUInt16LE(0);
  const port = bytes.readUInt16BE(2);
  if (family === SOCKET.AF_INET) return { address: formatIpBytes(bytes.subarray(4, 8)), port, scopeId: 0 };
  if (family !== SOCKET.AF_INET6 || bytes.length < 28) return undefined;
  return { address: formatIpBytes(bytes.subarray(8, 24)), port, scopeId: bytes.readUInt32LE(24) };
}
