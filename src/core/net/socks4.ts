import { once } from 'node:events';
import { isIPv4, type Socket } from 'node:net';
import { NettoolError } from '../errors.js';
import { formatHostPort } from './address.js';
import type { ProxyAddress } from './proxy-address.js';

const GRANTED = 90;

const REPLY_BYTES = 8;

/** SOCKS4 and its 4a, in which the proxy looks names up: after this the socket speaks with the target. */
export async function openSocks4(
  socket: Socket,
  proxy: ProxyAddress,
  target: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<void> {
  const name = isIPv4(target.host) ? undefined : target.host;
  // An address 0.0.0.x that is none says that a name follows.
  const address = name === undefined ? target.host.split('.').map(Number) : [0, 0, 0, 1];
  const head = Buffer.from([4, 1, target.port >> 8, target.port & 255, ...address]);
  const user = Buffer.from(`${proxy.username ?? ''}\0`);
  socket.write(Buffer.concat([head, user, Buffer.from(name === undefined ? '' : `${name}\0`)]));
  const reply = await readReply(socket, proxy, signal);
  if (reply[0] !== 0) {
    throw new NettoolError('MALFORMED_REPLY', `${describe(proxy)} answers with something else than SOCKS4`);
  }
  if (reply[1] !== GRANTED) {
    const where = formatHostPort(target.host, target.port);
    throw new NettoolError('CONNECTION_REFUSED', `${describe(proxy)} gives no connection to ${where}`);
  }
}

async function readReply(socket: Socket, proxy: ProxyAddress, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    const reply = socket.read(REPLY_BYTES) as Buffer | null;
    if (reply !== null) {
      if (reply.length === REPLY_BYTES) return reply;
      break;
    }
    if (socket.readableEnded || socket.destroyed) break;
    await Promise.race([once(socket, 'readable', { signal }), once(socket, 'end', { signal })]);
  }
  throw new NettoolError('CONNECTION_BROKEN', `${describe(proxy)} closed the connection without an answer`);
}

function describe({ host, port }: ProxyAddress): string {
  return `the proxy ${formatHostPort(host, port)}`;
}
