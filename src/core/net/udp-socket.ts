import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { NettoolError, toNettoolError } from '../errors.js';
import { formatHostPort } from './address.js';
import { parseIpBytes } from './ip-bytes.js';

/** What the kernel is asked to hold for us while we are busy; it cuts this to its own limit. */
const RECEIVE_BYTES = 4 * 2 ** 20;

/** How a UDP socket is bound. */
export interface UdpBindOptions {
  readonly family: 4 | 6;
  readonly host?: string | undefined;
  readonly port: number;
  /** Groups to join; on the interface after `%`, if there is one. */
  readonly multicast?: readonly string[] | undefined;
  /** Several programs of this machine may listen for the same group. */
  readonly shared?: boolean;
}

/** Binds a UDP socket that may broadcast; a failure says which address and why. */
export async function bindUdp(options: UdpBindOptions): Promise<Socket> {
  const { family, host, port, multicast = [] } = options;
  const doing = `cannot listen on ${formatHostPort(host ?? (family === 6 ? '::' : '0.0.0.0'), port)}`;
  const socket = createSocket({ type: `udp${family}`, reuseAddr: options.shared === true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port, ...(host === undefined ? {} : { address: host }) }, resolve);
    });
    socket.removeAllListeners('error');
    socket.setBroadcast(true);
    for (const group of multicast) joinGroup(socket, group, family);
    if (socket.getRecvBufferSize() < RECEIVE_BYTES) socket.setRecvBufferSize(RECEIVE_BYTES);
    return socket;
  } catch (error) {
    socket.close();
    throw toNettoolError(error, doing);
  }
}

/** Joins a group, `GROUP` or on one interface `GROUP%ADDRESS` or `GROUP%NAME`. */
export function joinGroup(socket: Socket, group: string, family: 4 | 6): void {
  const [address = '', zone] = group.split('%');
  if (!isMulticast(address) || isIP(address) !== family) {
    throw new NettoolError(
      'USAGE',
      `'${group}' is not a multicast group of IPv${family} (224.0.0.0/4 or ff00::/8)`,
    );
  }
  try {
    if (zone === undefined) socket.addMembership(address);
    else socket.addMembership(address, family === 6 ? `::%${zone}` : toInterfaceAddress(zone));
  } catch (error) {
    throw toNettoolError(error, `cannot join the group ${group}`);
  }
}

/** IPv4 knows interfaces by one of their addresses. */
function toInterfaceAddress(zone: string): string {
  if (isIP(zone) === 4) return zone;
  const own = networkInterfaces()[zone]?.find(({ family }) => family === 'IPv4');
  if (own === undefined) throw new NettoolError('USAGE', `no interface '${zone}' with an IPv4 address`);
  return own.address;
}

/** Whether all hosts of a network hear an address: of one of this machine, or by its looks of another. */
export function isBroadcast(address: string, interfaces = networkInterfaces()): boolean {
  const bytes = isIP(address) === 4 ? parseIpBytes(address) : undefined;
  if (bytes === undefined) return false;
  if (bytes[3] === 255) return true;
  const own = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  return own.some(({ family, cidr, address: host, netmask }) => {
    // A network of one or two addresses has none to spare.
    if (family !== 'IPv4' || /\/3[12]$/.test(cidr ?? '')) return false;
    const [ours, mask] = [parseIpBytes(host), parseIpBytes(netmask)];
    return bytes.every((byte, index) => byte === ((ours?.[index] ?? 0) | (~(mask?.[index] ?? 0) & 255)));
  });
}

/** Whether an address is a group's. */
export function isMulticast(address: string): boolean {
  const first = Number(/^(\d+)\./.exec(address)?.[1]);
  return (first >= 224 && first <= 239) || /^ff[0-9a-f]{2}:/i.test(address);
}

/** Sends one datagram to a peer (or, on a connected socket, to its peer) and resolves when the kernel has it. */
export function sendDatagram(
  socket: Socket,
  bytes: Buffer,
  peer?: Pick<RemoteInfo, 'address' | 'port'>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error: NodeJS.ErrnoException | null): void => {
      if (error === null) resolve();
      else reject(toSendError(error, bytes.length));
    };
    if (peer === undefined) socket.send(bytes, done);
    else socket.send(bytes, peer.port, peer.address, done);
  });
}

function toSendError(error: NodeJS.ErrnoException, sizeBytes: number): NettoolError {
  if (error.code !== 'EMSGSIZE') return toNettoolError(error, 'cannot send a datagram');
  return new NettoolError('TOO_LARGE', `a datagram of ${sizeBytes} bytes is too large to send`, {
    cause: error,
    hint: '--chunk SIZE sends smaller ones',
  });
}
