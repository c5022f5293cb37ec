import { NettoolError } from '../errors.js';
import { formatIpBytes, parseIpBytes } from '../net/ip-bytes.js';

/** A /16; whoever means more than this has mistyped. */
const MAX_HOSTS = 65_536;

/**
 * Hosts as written → hosts to ping: `192.0.2.0/28` and `192.0.2.1-192.0.2.9` (or `192.0.2.1-9`) become their
 * addresses, as fping's `-g` takes them: without network and broadcast address.
 */
export function expandHosts(words: readonly string[]): string[] {
  const hosts = words.flatMap((word) => expandNetwork(word) ?? expandRange(word) ?? [word]);
  if (hosts.length > MAX_HOSTS) throw new NettoolError('USAGE', `more than ${MAX_HOSTS} hosts`);
  return hosts;
}

/** Hosts from a file: one per line, `#` starts a comment. */
export function parseHostLines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/)[0] ?? '')
    .filter((host) => host !== '');
}

function expandNetwork(word: string): string[] | undefined {
  const match = /^(.+)\/(\d{1,3})$/.exec(word);
  const bytes = match === null ? undefined : parseIpBytes(match[1] as string);
  if (match === null || bytes === undefined) return undefined;
  const bits = bytes.length * 8;
  const prefix = Number(match[2]);
  if (prefix > bits) throw new NettoolError('USAGE', `'${word}' has no such prefix length (0-${bits})`);
  if (bits - prefix > 16) throw new NettoolError('USAGE', `'${word}' is more than ${MAX_HOSTS} hosts`);
  const size = 2n ** BigInt(bits - prefix);
  const first = toNumber(bytes) & ~(size - 1n);
  const inner = bits === 32 && size > 2n;
  return addresses(first + (inner ? 1n : 0n), first + size - (inner ? 2n : 1n), bytes.length);
}

function expandRange(word: string): string[] | undefined {
  const match = /^([\da-f.:]+)-([\da-f.:]+)$/i.exec(word);
  const first = match === null ? undefined : parseIpBytes(match[1] as string);
  if (match === null || first === undefined) return undefined;
  const end = match[2] as string;
  const last = parseIpBytes(/^\d+$/.test(end) ? `${first.subarray(0, 3).join('.')}.${end}` : end);
  if (last === undefined || last.length !== first.length || toNumber(last) < toNumber(first)) {
    throw new NettoolError('USAGE', `'${word}' is not a range of addresses`);
  }
  if (toNumber(last) - toNumber(first) >= BigInt(MAX_HOSTS)) {
    throw new NettoolError('USAGE', `'${word}' is more than ${MAX_HOSTS} hosts`);
  }
  return addresses(toNumber(first), toNumber(last), first.length);
}

function addresses(first: bigint, last: bigint, bytes: number): string[] {
  const found: string[] = [];
  for (let number = first; number <= last; number++) {
    found.push(formatIpBytes(Buffer.from(number.toString(16).padStart(bytes * 2, '0'), 'hex')));
  }
  return found;
}

function toNumber(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}
