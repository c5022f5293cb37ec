import { readFile } from 'node:fs/promises';
import { toNettoolError } from '../../errors.js';
import { type Libc, loadLibc, systemError } from '../../platform/libc.js';
import type { DnsSettings, InterfaceAddress, InterfacesBackend, NetworkInterface, Route } from '../types.js';
import { createEthtool, type LinkSettings } from './ethtool.js';
import { type DecodedLink, decodeAddress, decodeLink, decodeRoute } from './linux-decode.js';
import { listByProc, routesByProc } from './linux-proc.js';
import { decodeDatagram, encodeDumpRequest, type NetlinkMessage, RTM } from './netlink.js';
import { parseResolvConf } from './resolv-conf.js';

const AF_NETLINK = 16;
/** SOCK_RAW | SOCK_CLOEXEC. */
const SOCKET_TYPE = 0x80003;
const DATAGRAM_BYTES = 64 * 1024;
const MAX_TRIES = 5;
const SYSTEMD_STUB = '127.0.0.53';

/** Linux: rtnetlink and ethtool by FFI, which ask the namespace we are in; `/proc` and `/sys` without FFI. */
export const linuxBackend: InterfacesBackend = {
  async list() {
    const libc = loadLibc();
    if (libc === undefined) return listByProc();
    try {
      return listByNetlink(libc);
    } catch {
      // Netlink may be forbidden (seccomp, some Android systems).
      return listByProc();
    }
  },
  async routes() {
    const libc = loadLibc();
    if (libc === undefined) return routesByProc();
    return routesByNetlink(libc);
  },
  async dns(): Promise<DnsSettings> {
    const settings = parseResolvConf(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
    if (!settings.servers.includes(SYSTEMD_STUB)) return settings;
    // The stub forwards; those who answer stand in systemd-resolved's own file.
    const real = await readFile('/run/systemd/resolve/resolv.conf', 'utf8').catch(() => undefined);
    return real === undefined ? settings : parseResolvConf(real);
  },
};

function listByNetlink(libc: Libc): NetworkInterface[] {
  const links = dump(libc, RTM.GETLINK).map(({ payload }) => decodeLink(payload));
  const addresses = new Map<number, InterfaceAddress[]>();
  for (const { payload } of dump(libc, RTM.GETADDR)) {
    const decoded = decodeAddress(payload);
    if (decoded === undefined) continue;
    addresses.set(decoded.index, [...(addresses.get(decoded.index) ?? []), decoded.address]);
  }
  const ethtool = createEthtool();
  try {
    const nameOf = namer(links);
    return links.map((link) =>
      finish(link, addresses.get(link.index) ?? [], nameOf, ethtool?.read(link.name)),
    );
  } finally {
    ethtool?.close();
  }
}

function finish(
  link: DecodedLink,
  addresses: readonly InterfaceAddress[],
  nameOf: (index: number) => string | null,
  settings: LinkSettings | undefined,
): NetworkInterface {
  const { masterIndex, linkIndex, ...rest } = link;
  return {
    ...rest,
    master: masterIndex === null ? null : nameOf(masterIndex),
    // A veth's other end may be in another namespace, where its number means something else.
    link: linkIndex === null || linkIndex === link.index ? null : nameOf(linkIndex),
    speedMbps: settings?.speedMbps ?? null,
    duplex: settings?.duplex ?? null,
    driver: settings?.driver ?? null,
    addresses,
  };
}

function namer(links: readonly DecodedLink[]): (index: number) => string | null {
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return (index) => names.get(index) ?? null;
}

function routesByNetlink(libc: Libc): Route[] {
  const links = dump(libc, RTM.GETLINK).map(({ payload }) => decodeLink(payload));
  const nameOf = namer(links);
  return dump(libc, RTM.GETROUTE).flatMap(({ payload }) => decodeRoute(payload, nameOf) ?? []);
}

/** All messages of a dump; asked for again when things changed meanwhile. */
function dump(libc: Libc, type: number): NetlinkMessage[] {
  const fd = libc.socket(AF_NETLINK, SOCKET_TYPE, 0);
  if (fd < 0) throw toNettoolError(systemError('socket'), 'cannot ask the kernel for its interfaces');
  try {
    for (let sequence = 1; ; sequence++) {
      const { messages, interrupted } = readDump(libc, fd, type, sequence);
      if (!interrupted || sequence === MAX_TRIES) return messages;
    }
  } finally {
    libc.close(fd);
  }
}

function readDump(libc: Libc, fd: number, type: number, sequence: number) {
  const request = encodeDumpRequest(type, sequence);
  const kernel = Buffer.alloc(12);
  kernel.writeUInt16LE(AF_NETLINK, 0);
  if (libc.sendto(fd, request, BigInt(request.length), 0, kernel, kernel.length) < 0)
    throw systemError('sendto');
  const messages: NetlinkMessage[] = [];
  let interrupted = false;
  for (;;) {
    // The kernel answers within the call that asks: this never waits. Messages point into their buffer.
    const buffer = Buffer.alloc(DATAGRAM_BYTES);
    const length = libc.recv(fd, buffer, BigInt(buffer.length), 0);
    if (length < 0) throw systemError('recv');
    const part = decodeDatagram(buffer.subarray(0, length), sequence);
    if (part.errno !== 0) throw systemError('netlink', part.errno);
    messages.push(...part.messages);
    interrupted ||= part.interrupted;
    if (part.done) return { messages, interrupted };
  }
}
