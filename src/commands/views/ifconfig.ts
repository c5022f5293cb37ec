import type { DnsSettings, InterfaceAddress, NetworkInterface, Route } from '../../core/interfaces/types.js';
import type { Style } from '../output/style.js';
import { type Align, formatTable } from '../output/table.js';

/** One document: the interfaces, and when asked for the ways out. */
export interface InterfacesEvent {
  readonly type: 'interfaces';
  readonly interfaces: readonly NetworkInterface[];
  readonly routes?: readonly Route[];
  readonly dns?: DnsSettings;
}

const INDENT = ' '.repeat(8);
/** net-tools' own words. */
const TYPE_WORDS: Readonly<Record<string, string>> = { loopback: 'loop', none: 'unspec' };
const SCOPES: Readonly<Record<string, number>> = { global: 0, host: 0x10, link: 0x20, site: 0x40 };
/** What may keep an address from being used. */
const NOTEWORTHY: ReadonlySet<string> = new Set([
  'secondary',
  'temporary',
  'optimistic',
  'dadfailed',
  'deprecated',
  'tentative',
]);
const HARDWARE: Readonly<Record<string, string>> = {
  ether: 'Ethernet',
  loopback: 'Local Loopback',
  none: 'UNSPEC',
  ppp: 'Point-to-Point Protocol',
  tunnel: 'IPIP Tunnel',
  sit: 'IPv6-in-IPv4',
  gre: 'UNSPEC',
  infiniband: 'InfiniBand',
};

/** Interfaces in the layout of net-tools' ifconfig, with a line on the link that net-tools does not have. */
export function viewInterfaces(interfaces: readonly NetworkInterface[], style: Style): string {
  return interfaces.map((entry) => `${viewInterface(entry, style)}\n`).join('\n');
}

function viewInterface(entry: NetworkInterface, style: Style): string {
  const flags = entry.flags.filter((flag) => !['LOWER_UP', 'DORMANT', 'ECHO'].includes(flag));
  const name = (entry.up ? style.bold : style.dim)(entry.name);
  const { rx, tx } = entry;
  return [
    // ifconfig knows the flags that fit 16 bits.
    `${name}: flags=${entry.flagBits & 0xffff}<${flags.join(',')}>  mtu ${entry.mtu}`,
    ...entry.addresses.map((address) => INDENT + viewAddress(address, style)),
    INDENT + viewHardware(entry),
    INDENT + viewLink(entry, style),
    `${INDENT}RX packets ${rx.packets}  bytes ${rx.bytes} (${formatBytes(rx.bytes)})`,
    `${INDENT}RX errors ${rx.errors}  dropped ${rx.dropped + rx.missed}  overruns ${rx.overruns}  frame ${rx.frame}`,
    `${INDENT}TX packets ${tx.packets}  bytes ${tx.bytes} (${formatBytes(tx.bytes)})`,
    `${INDENT}TX errors ${tx.errors}  dropped ${tx.dropped} overruns ${tx.overruns}  carrier ${tx.carrier}  collisions ${tx.collisions}`,
  ].join('\n');
}

function viewAddress(address: InterfaceAddress, style: Style): string {
  const special = address.flags.filter((flag) => NOTEWORTHY.has(flag));
  const notes = special.length === 0 ? '' : `  <${special.join(',')}>`;
  const text = style.cyan(address.address);
  const peer = address.peer === null ? '' : `  destination ${address.peer}`;
  if (address.family === 'inet6') {
    const scope = `0x${(SCOPES[address.scope] ?? 0).toString(16)}<${address.scope}>`;
    return `inet6 ${text}  prefixlen ${address.prefixLength}  scopeid ${scope}${peer}${notes}`;
  }
  const broadcast = address.broadcast === null ? '' : `  broadcast ${address.broadcast}`;
  return `inet ${text}  netmask ${address.netmask}${broadcast}${peer}${notes}`;
}

function viewHardware({ type, mac, queueLength }: NetworkInterface): string {
  const hardware = HARDWARE[type] ?? type;
  const address = mac === null ? (TYPE_WORDS[type] ?? type) : `${type} ${mac}`;
  const queue = queueLength === null ? '' : `  txqueuelen ${queueLength}`;
  return `${address}${queue}  (${hardware})`;
}

function viewLink(entry: NetworkInterface, style: Style): string {
  const facts: ReadonlyArray<readonly [name: string, value: string | null]> = [
    ['state', entry.state],
    ['speed', entry.speedMbps === null ? null : `${entry.speedMbps}Mb/s`],
    ['duplex', entry.duplex],
    ['master', entry.master],
    ['link', entry.link],
    ['kind', entry.kind],
    ['driver', entry.driver === entry.kind ? null : entry.driver],
    ['alias', entry.description === null ? null : style.foreign(entry.description)],
    ['altname', entry.altNames.join(',') || null],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`])).join('  ');
}

/** Bytes as net-tools shows them: one decimal, cut off, in powers of 1024. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let power = 0;
  while (power < units.length - 1 && bytes >= 1024 ** (power + 1)) power++;
  const tenths = Math.trunc((bytes * 10) / 1024 ** power);
  return `${Math.trunc(tenths / 10)}.${tenths % 10} ${units[power]}`;
}

const LETTERS: Readonly<Record<string, string>> = {
  LOOPBACK: 'L',
  BROADCAST: 'B',
  PROMISC: 'P',
  NOARP: 'O',
  ALLMULTI: 'A',
  MULTICAST: 'M',
  POINTOPOINT: 'P',
  RUNNING: 'R',
  UP: 'U',
};

/** `-s`: one line per interface, in the columns of netstat -i. */
export function viewInterfaceTable(interfaces: readonly NetworkInterface[], style: Style): string {
  const header = 'Iface MTU RX-OK RX-ERR RX-DRP RX-OVR TX-OK TX-ERR TX-DRP TX-OVR Flg'.split(' ');
  const rows = interfaces.map(({ name, mtu, rx, tx, flags }) => [
    name,
    ...[mtu, rx.packets, rx.errors, rx.dropped + rx.missed, rx.overruns].map(String),
    ...[tx.packets, tx.errors, tx.dropped, tx.overruns].map(String),
    Object.keys(LETTERS)
      .filter((flag) => flags.includes(flag))
      .map((flag) => LETTERS[flag])
      .join(''),
  ]);
  return withBoldHead(formatTable([header, ...rows], ['left', ...numbers(9), 'left']), style);
}

/** `--routes`: ways to other networks, the default ones first, and name servers. */
export function viewRoutes(routes: readonly Route[], dns: DnsSettings, style: Style): string {
  const isDefault = (route: Route): number => (route.destination === 'default' ? 0 : 1);
  const rows = routes
    .toSorted((a, b) => isDefault(a) - isDefault(b))
    .map((route) => [
      route.destination,
      route.gateway ?? '-',
      route.interface ?? '-',
      String(route.metric ?? 0),
      route.source ?? '-',
    ]);
  const header = ['Destination', 'Gateway', 'Iface', 'Metric', 'Source'];
  const table = formatTable([header, ...rows], ['left', 'left', 'left', 'right', 'left']);
  const search = dns.search.length === 0 ? [] : [`search domains: ${dns.search.join(' ')}`];
  return [withBoldHead(table, style), '', `name servers: ${dns.servers.join(' ') || 'none'}`, ...search].join(
    '\n',
  );
}

/** One look at the counters, and what flowed since the one before, per second. */
export interface RatesEvent {
  readonly type: 'interfaces';
  readonly at: string;
  /** Since the look before; null in the first. */
  readonly intervalMs: number | null;
  readonly interfaces: ReadonlyArray<NetworkInterface & { readonly rates: Rates | null }>;
}

/** Per second. */
export interface Rates {
  readonly rxBytesPerSecond: number;
  readonly txBytesPerSecond: number;
  readonly rxPacketsPerSecond: number;
  readonly txPacketsPerSecond: number;
}

/** `--watch`: rates per interface. */
export function viewRates({ interfaces }: RatesEvent, style: Style): string[] {
  const header = [
    'Iface',
    'State',
    'RX/s',
    'TX/s',
    'RX pkt/s',
    'TX pkt/s',
    'RX total',
    'TX total',
    'Errors',
    'Drops',
  ];
  const rows = interfaces.map(({ name, state, rates, rx, tx }) => [
    name,
    state,
    formatBytes(rates?.rxBytesPerSecond ?? 0),
    formatBytes(rates?.txBytesPerSecond ?? 0),
    String(rates?.rxPacketsPerSecond ?? 0),
    String(rates?.txPacketsPerSecond ?? 0),
    formatBytes(rx.bytes),
    formatBytes(tx.bytes),
    String(rx.errors + tx.errors),
    String(rx.dropped + rx.missed + tx.dropped),
  ]);
  const [head = '', ...lines] = formatTable([header, ...rows], ['left', 'left', ...numbers(8)]);
  return [style.bold(head), ...lines];
}

function numbers(count: number): Align[] {
  return Array.from({ length: count }, () => 'right');
}

function withBoldHead([head = '', ...rows]: readonly string[], style: Style): string {
  return [style.bold(head), ...rows].join('\n');
}
