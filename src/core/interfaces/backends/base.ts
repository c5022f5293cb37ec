import { getServers } from 'node:dns';
import { networkInterfaces } from 'node:os';
import { formatNetmask } from '../../net/ip-bytes.js';
import type { InterfaceAddress, InterfacesBackend, NetworkInterface } from '../types.js';
import { EMPTY_ADDRESS, emptyInterface } from './empty.js';

/** What Node itself knows: interfaces that run and have an address, without flags, MTU or counters. */
export const baseBackend: InterfacesBackend = {
  async list() {
    return Object.entries(networkInterfaces()).map(([name, entries = []]) => toInterface(name, entries));
  },
  routes: async () => [],
  dns: async () => ({ servers: getServers(), search: [] }),
};

type Entry = NonNullable<ReturnType<typeof networkInterfaces>[string]>[number];

function toInterface(name: string, entries: readonly Entry[]): NetworkInterface {
  const [first] = entries;
  const loopback = first?.internal === true;
  const index = entries.find((entry) => entry.family === 'IPv6' && entry.scopeid > 0);
  return {
    ...emptyInterface(name),
    index: index?.family === 'IPv6' ? index.scopeid : 0,
    type: loopback ? 'loopback' : 'ether',
    flags: ['UP', ...(loopback ? ['LOOPBACK'] : []), 'RUNNING'],
    up: true,
    running: true,
    loopback,
    mac: first === undefined || /^[0:]*$/.test(first.mac) ? null : first.mac,
    state: 'up',
    addresses: entries.map(toAddress),
  };
}

function toAddress({ address, cidr, family, internal }: Entry): InterfaceAddress {
  const prefixLength = Number(cidr?.split('/')[1] ?? 0);
  const linkLocal = family === 'IPv6' && /^fe[89ab]/i.test(address);
  return {
    ...EMPTY_ADDRESS,
    family: family === 'IPv4' ? 'inet' : 'inet6',
    address,
    prefixLength,
    netmask: family === 'IPv4' ? formatNetmask(prefixLength) : null,
    scope: internal ? 'host' : linkLocal ? 'link' : 'global',
  };
}
