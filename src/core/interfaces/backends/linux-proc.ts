import { readdir, readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { formatIpBytes, formatNetmask, parseNetmask } from '../../net/ip-bytes.js';
import type {
  InterfaceAddress,
  NetworkInterface,
  ReceiveCounters,
  Route,
  TransmitCounters,
} from '../types.js';
import { EMPTY_ADDRESS, emptyInterface } from './empty.js';
import { addressFlagNames, arphrdName, flagNames, IFF, scopeName } from './linux-names.js';

/** What `/proc/net/dev` says of each interface. */
export function parseProcNetDev(text: string): Map<string, { rx: ReceiveCounters; tx: TransmitCounters }> {
  const found = new Map<string, { rx: ReceiveCounters; tx: TransmitCounters }>();
  for (const line of text.split('\n').slice(2)) {
    const colon = line.lastIndexOf(':');
    if (colon === -1) continue;
    const n = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const at = (index: number): number => n[index] ?? 0;
    found.set(line.slice(0, colon).trim(), {
      rx: {
        bytes: at(0),
        packets: at(1),
        errors: at(2),
        dropped: at(3),
        missed: 0,
        overruns: at(4),
        frame: at(5),
        multicast: at(7),
      },
      tx: {
        bytes: at(8),
        packets: at(9),
        errors: at(10),
        dropped: at(11),
        overruns: at(12),
        collisions: at(13),
        carrier: at(14),
      },
    });
  }
  return found;
}

/** The lines of `/proc/net/if_inet6`: address, index, prefix length, scope and flags in hexadecimal, name. */
export function parseIfInet6(
  text: string,
): Array<{ name: string; index: number; address: InterfaceAddress }> {
  const scopes: Readonly<Record<number, number>> = { 16: 254, 32: 253, 64: 200 };
  return text.split('\n').flatMap((line) => {
    const [hex, index, prefix, scope, flags, name] = line.trim().split(/\s+/);
    if (hex === undefined || name === undefined) return [];
    return {
      name,
      index: Number.parseInt(index ?? '', 16),
      address: {
        ...EMPTY_ADDRESS,
        family: 'inet6' as const,
        address: formatIpBytes(Buffer.from(hex, 'hex')),
        prefixLength: Number.parseInt(prefix ?? '', 16),
        scope: scopeName(scopes[Number.parseInt(scope ?? '', 16)] ?? 0),
        flags: addressFlagNames(Number.parseInt(flags ?? '', 16), false),
      },
    };
  });
}

/** The lines of `/proc/net/route`: little-endian hexadecimal addresses. */
export function parseProcNetRoute(text: string): Route[] {
  const address = (hex: string): string => formatIpBytes(Buffer.from(hex, 'hex').reverse());
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [name, destination, gateway, flags, , , metric, mask] = line.trim().split(/\s+/);
      if (name === undefined || destination === undefined || gateway === undefined || mask === undefined)
        return [];
      if ((Number.parseInt(flags ?? '', 16) & 1) === 0) return [];
      const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
      return {
        family: 'inet' as const,
        destination: bits === 0 ? 'default' : `${address(destination)}/${bits}`,
        gateway: gateway === '00000000' ? null : address(gateway),
        interface: name,
        metric: Number(metric) || null,
        source: null,
      };
    });
}

const RTF_UP = 0x1;
const RTF_REJECT = 0x200;
const RTF_LOCAL = 0x80000000;

/** The lines of `/proc/net/ipv6_route` that lead to other hosts. */
export function parseProcNetIpv6Route(text: string): Route[] {
  const address = (hex: string): string => formatIpBytes(Buffer.from(hex, 'hex'));
  return text.split('\n').flatMap((line) => {
    const [destination, prefix, , , gateway, metric, , , flags, name] = line.trim().split(/\s+/);
    if (name === undefined || destination === undefined || gateway === undefined) return [];
    const bits = Number.parseInt(flags ?? '', 16);
    const own = (bits & RTF_UP) === 0 || (bits & (RTF_REJECT | RTF_LOCAL)) !== 0;
    if (own || destination.startsWith('ff')) return [];
    const length = Number.parseInt(prefix ?? '', 16);
    return {
      family: 'inet6' as const,
      destination: length === 0 ? 'default' : `${address(destination)}/${length}`,
      gateway: /^0+$/.test(gateway) ? null : address(gateway),
      interface: name,
      metric: Number.parseInt(metric ?? '', 16) || null,
      source: null,
    };
  });
}

/** Routes by `/proc/net`. */
export async function routesByProc(): Promise<Route[]> {
  const inet6 = await readFile('/proc/net/ipv6_route', 'utf8').catch(() => '');
  return [...parseProcNetRoute(await readFile('/proc/net/route', 'utf8')), ...parseProcNetIpv6Route(inet6)];
}

/**
 * Interfaces by `/proc/net`, which is right in every namespace, and `/sys` where it speaks of the same interface;
 * IPv4 addresses come from Node, which leaves out those of interfaces that are not running.
 */
export async function listByProc(): Promise<NetworkInterface[]> {
  const counters = parseProcNetDev(await readFile('/proc/net/dev', 'utf8'));
  const inet6 = parseIfInet6(await readFile('/proc/net/if_inet6', 'utf8').catch(() => ''));
  const known = networkInterfaces();
  const sysfs: string[] = await readdir('/sys/class/net').catch(() => []);
  return Promise.all(
    [...counters].map(async ([name, count]) => {
      const own = inet6.filter((entry) => entry.name === name);
      const inet = (known[name] ?? []).filter((entry) => entry.family === 'IPv4').map(toInet);
      const [first] = known[name] ?? [];
      const link = {
        ...(first === undefined ? {} : { address: first.mac }),
        ...(sysfs.includes(name) ? await readSysfs(name) : { mtu: await readMtu(name) }),
      };
      const addresses = [...inet, ...own.map(({ address }) => address)];
      return assemble(name, { index: own[0]?.index ?? 0, addresses, ...count, link });
    }),
  );
}

function toInet(entry: { address: string; netmask: string; internal: boolean }): InterfaceAddress {
  const prefixLength = parseNetmask(entry.netmask);
  return {
    ...EMPTY_ADDRESS,
    family: 'inet',
    address: entry.address,
    prefixLength,
    netmask: formatNetmask(prefixLength),
    scope: entry.internal ? 'host' : 'global',
  };
}

interface Parts extends Pick<NetworkInterface, 'index' | 'addresses' | 'rx' | 'tx'> {
  readonly link: Readonly<Record<string, string>>;
}

function assemble(name: string, { index, addresses, rx, tx, link }: Parts): NetworkInterface {
  const isLoopback = name === 'lo';
  const guessed = addresses.length > 0 ? IFF.UP | IFF.RUNNING | (isLoopback ? IFF.LOOPBACK : 0) : 0;
  // sysfs leaves RUNNING out; the carrier stands for it.
  const flagBits =
    link.flags === undefined ? guessed : Number(link.flags) | (link.carrier === '1' ? IFF.RUNNING : 0);
  return {
    ...emptyInterface(name),
    index: Number(link.ifindex ?? index),
    type: arphrdName(Number(link.type ?? (isLoopback ? 772 : 1))),
    description: link.ifalias || null,
    flags: flagNames(flagBits),
    flagBits,
    up: (flagBits & IFF.UP) !== 0,
    running: (flagBits & IFF.RUNNING) !== 0,
    loopback: isLoopback || (flagBits & IFF.LOOPBACK) !== 0,
    mtu: Number(link.mtu ?? 0),
    mac: link.address === undefined || /^[0:]*$/.test(link.address) ? null : link.address,
    queueLength: link.tx_queue_len === undefined ? null : Number(link.tx_queue_len),
    state: link.operstate ?? 'unknown',
    speedMbps: Number(link.speed) > 0 ? Number(link.speed) : null,
    duplex: link.duplex === undefined || link.duplex === 'unknown' ? null : link.duplex,
    addresses,
    rx,
    tx,
  };
}

/** IPv6's idea of the MTU, which is the link's unless someone set it apart; it is right in every namespace. */
async function readMtu(name: string): Promise<string> {
  return (await readFile(`/proc/sys/net/ipv6/conf/${name}/mtu`, 'utf8').catch(() => '0')).trim();
}

const SYSFS_FILES = [
  'address',
  'carrier',
  'duplex',
  'flags',
  'ifalias',
  'ifindex',
  'mtu',
  'operstate',
  'speed',
  'tx_queue_len',
  'type',
] as const;

async function readSysfs(name: string): Promise<Record<string, string>> {
  const values = await Promise.all(
    // Some cannot be read while an interface is down (EINVAL).
    SYSFS_FILES.map((file) => readFile(`/sys/class/net/${name}/${file}`, 'utf8').catch(() => undefined)),
  );
  return Object.fromEntries(
    SYSFS_FILES.flatMap((file, index) => {
      const value = values[index]?.trim();
      return value === undefined ? [] : [[file, value]];
    }),
  );
}
