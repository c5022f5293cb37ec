import { formatIpBytes, formatNetmask } from '../../net/ip-bytes.js';
import type { InterfaceAddress, NetworkInterface, Route } from '../types.js';
import { EMPTY_ADDRESS, emptyInterface } from './empty.js';

/** Copies memory of this process; what lies behind the pointers of a structure. */
export type ReadMemory = (pointer: bigint, sizeBytes: number) => Buffer;

const IF_TYPE_LOOPBACK = 24;
const ADAPTER_BYTES = 448;
const UNICAST_BYTES = 64;
const MIB_IF_ROW2_BYTES = 1352;
const MAX_TEXT_BYTES = 512;
const AF_INET = 2;
const AF_INET6 = 23;
const FOREVER = 0xffffffff;

const OPER_STATUS = [
  'unknown',
  'up',
  'down',
  'testing',
  'unknown',
  'dormant',
  'notpresent',
  'lowerlayerdown',
];
const DAD_STATES = ['invalid', 'tentative', 'dadfailed', 'deprecated', ''];
const TYPES: Readonly<Record<number, string>> = {
  6: 'ether',
  23: 'ppp',
  24: 'loopback',
  71: 'ieee802.11',
  131: 'tunnel',
};

/** An adapter with what belongs to its routes and name servers. */
export interface DecodedAdapter {
  readonly entry: NetworkInterface;
  readonly gateways: readonly string[];
  readonly dnsServers: readonly string[];
  readonly dnsSuffix: string;
  readonly metric: number;
}

/** Walks the list `GetAdaptersAddresses` makes (`IP_ADAPTER_ADDRESSES_LH`, x64). */
export function decodeAdapters(read: ReadMemory, first: bigint): DecodedAdapter[] {
  return walk(read, first, ADAPTER_BYTES).map((adapter) => decodeAdapter(read, adapter));
}

function decodeAdapter(read: ReadMemory, adapter: Buffer): DecodedAdapter {
  const at = (offset: number): bigint => adapter.readBigUInt64LE(offset);
  const name = readWide(read, at(72));
  const type = adapter.readUInt32LE(100);
  const loopback = type === IF_TYPE_LOOPBACK;
  const state = OPER_STATUS[adapter.readUInt32LE(104)] ?? 'unknown';
  const up = state === 'up';
  const speed = Number(at(184));
  const macLength = Math.min(8, adapter.readUInt32LE(88));
  const mac = Array.from(adapter.subarray(80, 80 + macLength), (byte) => byte.toString(16).padStart(2, '0'));
  const mtu = adapter.readUInt32LE(96);
  return {
    entry: {
      ...emptyInterface(name),
      index: adapter.readUInt32LE(4) || adapter.readUInt32LE(108),
      type: TYPES[type] ?? `type${type}`,
      description: readWide(read, at(64)) || null,
      flags: [...(up ? ['UP'] : []), ...(loopback ? ['LOOPBACK'] : []), ...(up ? ['RUNNING'] : [])],
      up,
      running: up,
      loopback,
      mtu: mtu === FOREVER ? 0 : mtu,
      mac: mac.join(':') || null,
      state,
      speedMbps: speed > 0 && speed < 2 ** 53 ? Math.round(speed / 1e6) : null,
      addresses: walk(read, at(24), UNICAST_BYTES).flatMap(
        (unicast) => decodeUnicast(read, unicast, loopback) ?? [],
      ),
    },
    gateways: walk(read, at(208), 32).flatMap((entry) => readSockaddr(read, entry) ?? []),
    dnsServers: walk(read, at(48), 32).flatMap((entry) => readSockaddr(read, entry) ?? []),
    dnsSuffix: readWide(read, at(56)),
    metric: adapter.readUInt32LE(216),
  };
}

/** `IP_ADAPTER_UNICAST_ADDRESS_LH`. */
function decodeUnicast(read: ReadMemory, unicast: Buffer, loopback: boolean): InterfaceAddress | undefined {
  const address = readSockaddr(read, unicast);
  if (address === undefined) return undefined;
  const prefixLength = unicast.readUInt8(56);
  const inet = !address.includes(':');
  const linkLocal = inet ? address.startsWith('169.254.') : /^fe[89ab]/i.test(address);
  const state = DAD_STATES[unicast.readUInt32LE(40)] ?? '';
  const seconds = (value: number): number | null => (value === FOREVER ? null : value);
  return {
    ...EMPTY_ADDRESS,
    family: inet ? 'inet' : 'inet6',
    address,
    prefixLength,
    netmask: inet ? formatNetmask(prefixLength) : null,
    scope: loopback ? 'host' : linkLocal ? 'link' : 'global',
    flags: state === '' ? [] : [state],
    validSeconds: seconds(unicast.readUInt32LE(44)),
    preferredSeconds: seconds(unicast.readUInt32LE(48)),
  };
}

/** The default routes the adapters know. */
export function toRoutes(adapters: readonly DecodedAdapter[]): Route[] {
  return adapters.flatMap(({ entry, gateways, metric }) =>
    gateways.map((gateway) => ({
      family: gateway.includes(':') ? ('inet6' as const) : ('inet' as const),
      destination: 'default',
      gateway,
      interface: entry.name,
      metric,
      source: null,
    })),
  );
}

/** `MIB_IF_ROW2`: the counters of one interface. */
export function decodeIfRow2(row: Buffer): Pick<NetworkInterface, 'rx' | 'tx'> {
  const count = (offset: number): number =>
    row.length >= MIB_IF_ROW2_BYTES ? Number(row.readBigUInt64LE(offset)) : 0;
  return {
    rx: {
      bytes: count(1208),
      packets: count(1216) + count(1224),
      errors: count(1240),
      dropped: count(1232),
      missed: 0,
      overruns: 0,
      frame: 0,
      multicast: 0,
    },
    tx: {
      bytes: count(1280),
      packets: count(1288) + count(1296),
      errors: count(1312),
      dropped: count(1304),
      overruns: 0,
      carrier: 0,
      collisions: 0,
    },
  };
}

/** The members of a linked list whose `Next` is at offset 8. */
function walk(read: ReadMemory, first: bigint, sizeBytes: number): Buffer[] {
  const found: Buffer[] = [];
  for (let pointer = first; pointer !== 0n && found.length < 10_000; ) {
    const entry = read(pointer, sizeBytes);
    found.push(entry);
    pointer = entry.readBigUInt64LE(8);
  }
  return found;
}

/** The SOCKET_ADDRESS at offset 16 of a list member. */
function readSockaddr(read: ReadMemory, entry: Buffer): string | undefined {
  const pointer = entry.readBigUInt64LE(16);
  const length = entry.readInt32LE(24);
  if (pointer === 0n || length < 16) return undefined;
  const sockaddr = read(pointer, length);
  const family = sockaddr.readUInt16LE(0);
  if (family === AF_INET) return formatIpBytes(sockaddr.subarray(4, 8));
  return family === AF_INET6 && length >= 24 ? formatIpBytes(sockaddr.subarray(8, 24)) : undefined;
}

/** A UTF-16 string, two bytes at a time: nothing behind its end may be touched. */
function readWide(read: ReadMemory, pointer: bigint): string {
  if (pointer === 0n) return '';
  let text = '';
  for (let at = 0; at < MAX_TEXT_BYTES; at += 2) {
    const unit = read(pointer + BigInt(at), 2).readUInt16LE(0);
    if (unit === 0) break;
    text += String.fromCharCode(unit);
  }
  return text;
}
