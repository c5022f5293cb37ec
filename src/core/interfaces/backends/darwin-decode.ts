import { formatNetmask } from '../../net/ip-bytes.js';
import type {
  InterfaceAddress,
  NetworkInterface,
  ReceiveCounters,
  Route,
  TransmitCounters,
} from '../types.js';
import { EMPTY_ADDRESS, emptyInterface } from './empty.js';

/** Reads `/sbin/ifconfig -a` of macOS: a line with the flags, then indented lines. */
export function parseDarwinIfconfig(text: string): NetworkInterface[] {
  const blocks = text.split(/^(?=\S)/m).filter((block) => /^[^\s:]+: flags=/.test(block));
  return blocks.map((block, index) => parseBlock(block, index + 1));
}

function parseBlock(block: string, index: number): NetworkInterface {
  const [head = '', ...lines] = block.split('\n').map((line) => line.trim());
  const match = /^([^:]+): flags=([\da-f]+)<([^>]*)>(?:.*\bmtu (\d+))?/.exec(head);
  const [, name = '', bits = '0', names = '', mtu] = match ?? [];
  const flags = names.split(',').filter(Boolean);
  const find = (pattern: RegExp): string | null =>
    lines.map((line) => pattern.exec(line)?.[1]).find((value) => value !== undefined) ?? null;
  const loopback = flags.includes('LOOPBACK');
  const status = find(/^status: (.+)/);
  const media = find(/^media: (.+)/);
  const running = flags.includes('RUNNING') && status !== 'inactive';
  const up = flags.includes('UP');
  return {
    ...emptyInterface(name),
    index,
    type: loopback ? 'loopback' : lines.some((line) => line.startsWith('ether ')) ? 'ether' : 'none',
    flags,
    flagBits: Number.parseInt(bits, 16),
    up,
    running,
    loopback,
    mtu: Number(mtu ?? 0),
    mac: find(/^ether ([\da-f:]+)/),
    master: null,
    state: up && running ? 'up' : 'down',
    speedMbps: speedOf(media),
    duplex: media === null ? null : (/<.*?(full|half)-duplex/.exec(media)?.[1] ?? null),
    addresses: lines.flatMap((line) => parseAddress(line) ?? []),
  };
}

/** `autoselect (1000baseT <full-duplex>)`, `2500Base-T`, `10Gbase-T`. */
function speedOf(media: string | null): number | null {
  const match = /(\d+)(G?)base/i.exec(media ?? '');
  return match === null ? null : Number(match[1]) * (match[2] === '' ? 1 : 1000);
}

function parseAddress(line: string): InterfaceAddress | undefined {
  const inet = /^inet (\S+)(?: --> (\S+))? netmask 0x([\da-f]{8})(?: broadcast (\S+))?/.exec(line);
  if (inet !== null) {
    const [, address = '', peer, mask = '', broadcast] = inet;
    const prefixLength = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
    const scope = address.startsWith('127.') ? 'host' : address.startsWith('169.254.') ? 'link' : 'global';
    const netmask = formatNetmask(prefixLength);
    const ends = { peer: peer ?? null, broadcast: broadcast ?? null };
    return { ...EMPTY_ADDRESS, ...ends, family: 'inet', address, prefixLength, netmask, scope };
  }
  const inet6 = /^inet6 ([^\s%]+)(?:%\S+)?(?: --> (\S+?)(?:%\S+)?)? prefixlen (\d+)(.*)/.exec(line);
  if (inet6 === null) return undefined;
  const [, address = '', peer, prefix, rest = ''] = inet6;
  const flags = rest
    .replace(/scopeid 0x[\da-f]+/, '')
    .trim()
    .split(/\s+/)
    .filter((word) => /^[a-z]+$/.test(word));
  const scope = /^fe[89ab]/i.test(address) ? 'link' : address === '::1' ? 'host' : 'global';
  const ends = { peer: peer ?? null };
  return { ...EMPTY_ADDRESS, ...ends, family: 'inet6', address, prefixLength: Number(prefix), scope, flags };
}

const RTM_IFINFO2 = 0x12;
const IF_MSGHDR2_BYTES = 160;

/** What `sysctl(NET_RT_IFLIST2)` says of each interface number: 64-bit counters (`if_msghdr2`, `if_data64`). */
export function decodeIfList2(
  list: Buffer,
): Map<number, { mtu: number; rx: ReceiveCounters; tx: TransmitCounters }> {
  const found = new Map<number, { mtu: number; rx: ReceiveCounters; tx: TransmitCounters }>();
  for (let at = 0; at + 4 <= list.length; ) {
    const length = list.readUInt16LE(at);
    if (length < 4 || at + length > list.length) break;
    if (list.readUInt8(at + 3) === RTM_IFINFO2 && length >= IF_MSGHDR2_BYTES) {
      const data = list.subarray(at + 32, at + 160);
      const count = (offset: number): number => Number(data.readBigUInt64LE(offset));
      found.set(list.readUInt16LE(at + 12), {
        mtu: data.readUInt32LE(8),
        rx: {
          bytes: count(64),
          packets: count(24),
          errors: count(32),
          dropped: count(96),
          missed: 0,
          overruns: 0,
          frame: 0,
          multicast: count(80),
        },
        tx: {
          bytes: count(72),
          packets: count(40),
          errors: count(48),
          dropped: 0,
          overruns: 0,
          carrier: 0,
          collisions: count(56),
        },
      });
    }
    at += length;
  }
  return found;
}

/** Reads `netstat -rn` of macOS. */
export function parseDarwinRoutes(text: string): Route[] {
  let family: Route['family'] = 'inet';
  return text.split('\n').flatMap((line) => {
    if (/^Internet6?:/.test(line)) family = line.startsWith('Internet6') ? 'inet6' : 'inet';
    const [destination, gateway, flags, name] = line.trim().split(/\s+/);
    if (destination === undefined || gateway === undefined || name === undefined) return [];
    if (destination === 'Destination' || !/^U[A-Za-z]*$/.test(flags ?? '') || flags?.includes('H')) return [];
    const via = flags?.includes('G') ? (gateway.split('%')[0] ?? gateway) : null;
    return { family, destination, gateway: via, interface: name, metric: null, source: null };
  });
}
