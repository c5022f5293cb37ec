import { readFileSync } from 'node:fs';
import { platform } from '../platform/os.js';
import { normalizeAddress } from './address.js';
import { parseIpBytes } from './ip-bytes.js';

/** One end of a TCP connection and its other end. */
export interface SocketPair {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** How long a reading of the kernel's table serves everybody who asks. */
const FRESH_MS = 100;

let readAt = Number.NEGATIVE_INFINITY;
let table = new Map<string, boolean>();

/**
 * Whether the peer of a connection has closed its socket for good, where a FIN alone does not say: its process may
 * only have ended its side (`shutdown`) and wait for an answer. Known for peers on this machine (Linux, proc(5),
 * /proc/net/tcp); `undefined` for all others.
 */
export function isPeerClosed(pair: SocketPair): boolean | undefined {
  if (platform !== 'linux') return undefined;
  if (performance.now() - readAt > FRESH_MS) {
    table = readTable();
    readAt = performance.now();
  }
  const peer = `${toHex(pair.remoteAddress, pair.remotePort)} ${toHex(pair.localAddress, pair.localPort)}`;
  const held = table.get(peer);
  if (held !== undefined) return !held;
  return isLoopback(pair.remoteAddress) && table.size > 0 ? true : undefined;
}

/** Each connection from its owner's side, and whether a process still holds it (it has an inode). */
function readTable(): Map<string, boolean> {
  const found = new Map<string, boolean>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readLines(file)) {
      const [, local, remote, , , , , , , inode] = line.trim().split(/\s+/);
      if (local !== undefined && remote !== undefined) {
        found.set(`${shorten(local)} ${shorten(remote)}`, inode !== '0');
      }
    }
  }
  return found;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(1, -1);
  } catch {
    return [];
  }
}

const MAPPED = '0000000000000000FFFF0000';

/** An IPv4 client of a dual-stack socket stands in both tables, once as itself. */
function shorten(entry: string): string {
  return entry.startsWith(MAPPED) ? entry.slice(MAPPED.length) : entry;
}

/** `127.0.0.1`, 80 → `0100007F:0050`: words of 32 bits, each in the machine's (little-endian) order. */
function toHex(address: string, port: number): string {
  const bytes = Buffer.from(parseIpBytes(normalizeAddress(address)) ?? []).swap32();
  return `${bytes.toString('hex').toUpperCase()}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./i.test(address);
}
