import type { NetworkInterface } from '../types.js';

/** An address of which only the essentials are known. */
export const EMPTY_ADDRESS = {
  netmask: null,
  broadcast: null,
  peer: null,
  label: null,
  flags: [],
  validSeconds: null,
  preferredSeconds: null,
} as const;

/** An interface of which only the name is known. */
export function emptyInterface(name: string): NetworkInterface {
  return {
    name,
    index: 0,
    type: 'ether',
    kind: null,
    description: null,
    altNames: [],
    flags: [],
    flagBits: 0,
    up: false,
    running: false,
    loopback: false,
    mtu: 0,
    mac: null,
    permanentMac: null,
    queueLength: null,
    master: null,
    link: null,
    state: 'unknown',
    speedMbps: null,
    duplex: null,
    driver: null,
    addresses: [],
    rx: { bytes: 0, packets: 0, errors: 0, dropped: 0, missed: 0, overruns: 0, frame: 0, multicast: 0 },
    tx: { bytes: 0, packets: 0, errors: 0, dropped: 0, overruns: 0, carrier: 0, collisions: 0 },
  };
}
