import { isIP } from 'node:net';
import type { Peer } from './request.js';

/** A PROXY header: how long it is, and between whom the connection is; no peer when it says the proxy itself. */
export interface ProxyHeader {
  readonly length: number;
  readonly peer: Peer | undefined;
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V1_MAX_BYTES = 107;
/** Room for addresses and extensions nobody here reads; a header may say it has 64 KiB of them. */
const V2_MAX_BYTES = 4096;

/**
 * Reads a PROXY protocol header, version 1 or 2 (haproxy's proxy-protocol.txt): the header, null when this is none,
 * undefined when more bytes are needed.
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | null | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === SIGNATURE[0]) return parseBinary(bytes);
  return parseText(bytes.toString('latin1', 0, V1_MAX_BYTES + 1));
}

function parseText(text: string): ProxyHeader | null | undefined {
  const end = text.indexOf('\r\n');
  if (end < 0) {
    const isBegun = 'PROXY '.startsWith(text.slice(0, 6)) && !/[\n]/.test(text);
    return isBegun && text.length < V1_MAX_BYTES ? undefined : null;
  }
  const line = text.slice(0, end);
  const length = end + 2;
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { length, peer: undefined };
  const parts = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line);
  if (parts === null) return null;
  const [, family, remoteAddress = '', localAddress = ''] = parts;
  const remotePort = Number(parts[4]);
  const localPort = Number(parts[5]);
  const isRight = isIP(remoteAddress) === Number(family) && isIP(localAddress) === Number(family);
  if (!isRight || remotePort > 65_535 || localPort > 65_535) return null;
  return { length, peer: { remoteAddress, remotePort, localAddress, localPort } };
}

function parseBinary(bytes: Buffer): ProxyHeader | null | undefined {
  const begun = bytes.subarray(0, SIGNATURE.length);
  if (!begun.equals(SIGNATURE.subarray(0, begun.length))) return null;
  if (bytes.length < 16) return undefined;
  const command = bytes[12];
  const family = bytes[13];
  const length = 16 + bytes.readUInt16BE(14);
  if ((command !== 0x20 && command !== 0x21) || length > V2_MAX_BYTES) return null;
  if (bytes.length < length) return undefined;
  // LOCAL: the proxy speaks for itself, to see whether we are well.
  if (command === 0x20) return { length, peer: undefined };
  if (family === 0x11 && length >= 28) return { length, peer: readPeer(bytes, 4) };
  if (family === 0x21 && length >= 52) return { length, peer: readPeer(bytes, 16) };
  return family === 0x11 || family === 0x21 ? null : { length, peer: undefined };
}

function readPeer(bytes: Buffer, size: 4 | 16): Peer {
  return {
    remoteAddress: formatAddress(bytes.subarray(16, 16 + size)),
    localAddress: formatAddress(bytes.subarray(16 + size, 16 + 2 * size)),
    remotePort: bytes.readUInt16BE(16 + 2 * size),
    localPort: bytes.readUInt16BE(18 + 2 * size),
  };
}

function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  // The URL parser writes the shortest form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
