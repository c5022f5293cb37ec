import { decodeSockaddr, encodeSockaddr } from '../../net/sockaddr.js';
import type { Libc } from '../../platform/libc.js';
import { SOCKET } from '../../platform/socket-numbers.js';
import type { PingOptions, PingTarget } from '../types.js';

/** Any port will do: connecting a UDP socket sends nothing, it only asks for the route. */
const PROBE_PORT = 1025;

/** The address probes to a target leave from; `undefined` when there is no route. */
export function findSource(libc: Libc, target: PingTarget, options: PingOptions): string | undefined {
  if (options.sourceAddress !== undefined) return options.sourceAddress;
  const domain = target.family === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6;
  const fd = libc.socket(domain, SOCKET.SOCK_DGRAM | SOCKET.SOCK_FLAGS, 0);
  if (fd < 0) return undefined;
  try {
    if (options.sourceInterface !== undefined) chooseInterface(libc, fd, target, options.sourceInterface);
    const name = encodeSockaddr(target.address, PROBE_PORT);
    if (libc.connect(fd, name, name.length) !== 0) return undefined;
    const found = Buffer.alloc(28);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(found.length);
    if (libc.getsockname(fd, found, size) !== 0) return undefined;
    return decodeSockaddr(found)?.address;
  } finally {
    libc.close(fd);
  }
}

/** A datagram socket may be bound to an interface by anyone (Linux 5.7); this one only asks, and hears nothing. */
function chooseInterface(libc: Libc, fd: number, { family }: PingTarget, name: string): void {
  if (SOCKET.SO_BINDTODEVICE !== 0) {
    const bytes = Buffer.from(`${name}\0`);
    libc.setsockopt(fd, SOCKET.SOL_SOCKET, SOCKET.SO_BINDTODEVICE, bytes, bytes.length);
    return;
  }
  const index = Buffer.alloc(4);
  index.writeUInt32LE(libc.if_nametoindex(name));
  if (family === 4) libc.setsockopt(fd, 0, SOCKET.IP_UNICAST_IF, index, 4);
  else libc.setsockopt(fd, 41, SOCKET.IPV6_UNICAST_IF, index, 4);
}
