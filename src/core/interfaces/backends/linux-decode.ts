import { formatIpBytes, formatNetmask } from '../../net/ip-bytes.js';
import type {
  InterfaceAddress,
  NetworkInterface,
  ReceiveCounters,
  Route,
  TransmitCounters,
} from '../types.js';
import { addressFlagNames, arphrdName, flagNames, IFF, OPER_STATES, scopeName } from './linux-names.js';
import { attributeNumber, attributeText, decodeAttributes, eachAttribute } from './netlink.js';

/** Attributes of RTM_NEWLINK (linux/if_link.h). */
const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  TXQLEN: 13,
  OPERSTATE: 16,
  LINKINFO: 18,
  IFALIAS: 20,
  STATS64: 23,
  PROP_LIST: 52,
  ALT_IFNAME: 53,
  PERM_ADDRESS: 54,
} as const;
const IFLA_INFO_KIND = 1;

/** Attributes of RTM_NEWADDR (linux/if_addr.h). */
const IFA = { ADDRESS: 1, LOCAL: 2, LABEL: 3, BROADCAST: 4, CACHEINFO: 6, FLAGS: 8 } as const;

/** Attributes of RTM_NEWROUTE (linux/rtnetlink.h). */
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, TABLE: 15, VIA: 18 } as const;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;

const AF_INET = 2;
const AF_INET6 = 10;
const FOREVER = 0xffffffff;

/** A link with the numbers of its master and lower link still to be named. */
export type DecodedLink = Omit<
  NetworkInterface,
  'addresses' | 'speedMbps' | 'duplex' | 'driver' | 'master' | 'link'
> & {
  readonly masterIndex: number | null;
  readonly linkIndex: number | null;
};

/** RTM_NEWLINK: an `ifinfomsg` of 16 bytes, and attributes. */
export function decodeLink(payload: Buffer): DecodedLink {
  const attributes = decodeAttributes(payload, 16);
  const flagBits = payload.readUInt32LE(8);
  const type = arphrdName(payload.readUInt16LE(2));
  const info = attributes.get(IFLA.LINKINFO);
  const names = attributes.get(IFLA.PROP_LIST);
  const state = attributes.get(IFLA.OPERSTATE)?.[0] ?? 0;
  return {
    name: attributeText(attributes.get(IFLA.IFNAME)) ?? '',
    index: payload.readInt32LE(4),
    type,
    kind: info === undefined ? null : attributeText(decodeAttributes(info, 0).get(IFLA_INFO_KIND)),
    description: attributeText(attributes.get(IFLA.IFALIAS)),
    altNames: names === undefined ? [] : altNames(names),
    flags: flagNames(flagBits),
    flagBits,
    up: (flagBits & IFF.UP) !== 0,
    running: (flagBits & IFF.RUNNING) !== 0,
    loopback: (flagBits & IFF.LOOPBACK) !== 0,
    mtu: attributeNumber(attributes.get(IFLA.MTU)) ?? 0,
    mac: formatMac(attributes.get(IFLA.ADDRESS)),
    permanentMac: formatMac(attributes.get(IFLA.PERM_ADDRESS)),
    queueLength: attributeNumber(attributes.get(IFLA.TXQLEN)),
    state: OPER_STATES[state] ?? 'unknown',
    masterIndex: attributeNumber(attributes.get(IFLA.MASTER)),
    linkIndex: attributeNumber(attributes.get(IFLA.LINK)),
    ...decodeCounters(attributes.get(IFLA.STATS64)),
  };
}

function altNames(list: Buffer): string[] {
  return [...eachAttribute(list, 0)].flatMap(([type, value]) =>
    type === IFLA.ALT_IFNAME ? [attributeText(value) ?? ''] : [],
  );
}

/** Hardware addresses of any length; all zeros (loopback) is none. */
export function formatMac(bytes: Uint8Array | undefined): string | null {
  if (bytes === undefined || bytes.length === 0 || bytes.every((byte) => byte === 0)) return null;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** `struct rtnl_link_stats64`: 64-bit counters in a row. */
function decodeCounters(stats: Buffer | undefined): { rx: ReceiveCounters; tx: TransmitCounters } {
  const at = (index: number): number =>
    stats !== undefined && stats.length >= index * 8 + 8 ? Number(stats.readBigUInt64LE(index * 8)) : 0;
  return {
    rx: {
      bytes: at(2),
      packets: at(0),
      errors: at(4),
      dropped: at(6),
      missed: at(15),
      overruns: at(14),
      // As /proc/net/dev sums them: length, over, CRC and frame errors.
      frame: at(10) + at(11) + at(12) + at(13),
      multicast: at(8),
    },
    tx: {
      bytes: at(3),
      packets: at(1),
      errors: at(5),
      dropped: at(7),
      overruns: at(18),
      // Carrier, aborted, window and heartbeat errors.
      carrier: at(16) + at(17) + at(19) + at(20),
      collisions: at(9),
    },
  };
}

/** RTM_NEWADDR: an `ifaddrmsg` of 8 bytes, and attributes. */
export function decodeAddress(payload: Buffer): { index: number; address: InterfaceAddress } | undefined {
  const family = payload.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const attributes = decodeAttributes(payload, 8);
  const peer = attributes.get(IFA.ADDRESS);
  const local = attributes.get(IFA.LOCAL) ?? peer;
  if (local === undefined) return undefined;
  const prefixLength = payload.readUInt8(1);
  const broadcast = attributes.get(IFA.BROADCAST);
  const lifetimes = attributes.get(IFA.CACHEINFO);
  return {
    index: payload.readUInt32LE(4),
    address: {
      family: family === AF_INET ? 'inet' : 'inet6',
      address: formatIpBytes(local),
      prefixLength,
      netmask: family === AF_INET ? formatNetmask(prefixLength) : null,
      broadcast: broadcast === undefined ? null : formatIpBytes(broadcast),
      scope: scopeName(payload.readUInt8(3)),
      peer: peer === undefined || peer.equals(local) ? null : formatIpBytes(peer),
      label: attributeText(attributes.get(IFA.LABEL)),
      flags: addressFlagNames(
        attributeNumber(attributes.get(IFA.FLAGS)) ?? payload.readUInt8(2),
        family === AF_INET,
      ),
      preferredSeconds: lifetime(lifetimes?.readUInt32LE(0)),
      validSeconds: lifetime(lifetimes?.readUInt32LE(4)),
    },
  };
}

function lifetime(seconds: number | undefined): number | null {
  return seconds === undefined || seconds === FOREVER ? null : seconds;
}

/** RTM_NEWROUTE: an `rtmsg` of 12 bytes, and attributes. Only routes of the main table that lead somewhere. */
export function decodeRoute(payload: Buffer, nameOf: (index: number) => string | null): Route | undefined {
  const family = payload.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const attributes = decodeAttributes(payload, 12);
  const table = attributeNumber(attributes.get(RTA.TABLE)) ?? payload.readUInt8(4);
  if (table !== RT_TABLE_MAIN || payload.readUInt8(7) !== RTN_UNICAST) return undefined;
  const destination = attributes.get(RTA.DST);
  const gateway = attributes.get(RTA.GATEWAY) ?? attributes.get(RTA.VIA)?.subarray(2);
  const source = attributes.get(RTA.PREFSRC);
  const output = attributeNumber(attributes.get(RTA.OIF));
  return {
    family: family === AF_INET ? 'inet' : 'inet6',
    destination:
      destination === undefined ? 'default' : `${formatIpBytes(destination)}/${payload.readUInt8(1)}`,
    gateway: gateway === undefined ? null : formatIpBytes(gateway),
    interface: output === null ? null : nameOf(output),
    metric: attributeNumber(attributes.get(RTA.PRIORITY)),
    source: source === undefined ? null : formatIpBytes(source),
  };
}
