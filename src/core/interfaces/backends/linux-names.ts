/** Interface flags of netdevice(7). */
export const IFF = { UP: 0x1, BROADCAST: 0x2, LOOPBACK: 0x8, POINTOPOINT: 0x10, RUNNING: 0x40 } as const;

const FLAGS: ReadonlyArray<readonly [bit: number, name: string]> = [
  [0x1, 'UP'],
  [0x2, 'BROADCAST'],
  [0x4, 'DEBUG'],
  [0x8, 'LOOPBACK'],
  [0x10, 'POINTOPOINT'],
  [0x20, 'NOTRAILERS'],
  [0x40, 'RUNNING'],
  [0x80, 'NOARP'],
  [0x100, 'PROMISC'],
  [0x200, 'ALLMULTI'],
  [0x800, 'SLAVE'],
  [0x400, 'MASTER'],
  [0x1000, 'MULTICAST'],
  [0x2000, 'PORTSEL'],
  [0x4000, 'AUTOMEDIA'],
  [0x8000, 'DYNAMIC'],
  [0x10000, 'LOWER_UP'],
  [0x20000, 'DORMANT'],
  [0x40000, 'ECHO'],
];

/** The names of interface flags, in the order in which ifconfig prints them. */
export function flagNames(bits: number): string[] {
  return FLAGS.flatMap(([bit, name]) => ((bits & bit) !== 0 ? [name] : []));
}

const ADDRESS_FLAGS: ReadonlyArray<readonly [bit: number, name: string]> = [
  [0x02, 'nodad'],
  [0x04, 'optimistic'],
  [0x08, 'dadfailed'],
  [0x10, 'home'],
  [0x20, 'deprecated'],
  [0x40, 'tentative'],
  [0x80, 'permanent'],
  [0x100, 'mngtmpaddr'],
  [0x200, 'noprefixroute'],
  [0x400, 'autojoin'],
  [0x800, 'stable-privacy'],
];

/** The names of address flags; the lowest bit means another thing in each family. */
export function addressFlagNames(bits: number, isIpv4: boolean): string[] {
  const first = (bits & 1) === 0 ? [] : [isIpv4 ? 'secondary' : 'temporary'];
  return [...first, ...ADDRESS_FLAGS.flatMap(([bit, name]) => ((bits & bit) !== 0 ? [name] : []))];
}

/** RFC 2863, as the kernel numbers it. */
export const OPER_STATES = [
  'unknown',
  'notpresent',
  'down',
  'lowerlayerdown',
  'testing',
  'dormant',
  'up',
] as const;

/** rtnetlink's scopes of addresses. */
export function scopeName(scope: number): string {
  return { 0: 'global', 200: 'site', 253: 'link', 254: 'host', 255: 'nowhere' }[scope] ?? String(scope);
}

const TYPES: Readonly<Record<number, string>> = {
  1: 'ether',
  32: 'infiniband',
  280: 'can',
  512: 'ppp',
  519: 'rawip',
  768: 'tunnel',
  769: 'tunnel6',
  772: 'loopback',
  776: 'sit',
  778: 'gre',
  801: 'ieee802.11',
  803: 'radiotap',
  823: 'gre6',
  824: 'netlink',
  65534: 'none',
};

/** The hardware type of a link (linux/if_arp.h) in iproute2's words. */
export function arphrdName(type: number): string {
  return TYPES[type] ?? `type${type}`;
}
