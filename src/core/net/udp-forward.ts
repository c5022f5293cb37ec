import { createSocket, type Socket } from 'node:dgram';
import { lookup } from './lookup.js';
import type { UdpPeer } from './udp-peers.js';
import { sendDatagram } from './udp-socket.js';

/** Passes datagrams on to one target; its answers come back to the peer they are for. */
export interface Forwarder {
  forward(peer: UdpPeer, bytes: Buffer): Promise<void>;
  forget(peer: UdpPeer): void;
}

/** A {@link Forwarder}: each peer gets a socket of its own, by whose port the target tells them apart. */
export async function createForwarder(
  target: { readonly host: string; readonly port: number },
  answer: (peer: UdpPeer, bytes: Buffer) => Promise<void>,
): Promise<Forwarder> {
  const [found] = await lookup(target.host, { signal: new AbortController().signal });
  const { address, family } = found ?? { address: target.host, family: 4 as const };
  const sockets = new Map<UdpPeer, Socket>();
  const socketOf = (peer: UdpPeer): Socket => {
    const known = sockets.get(peer);
    if (known !== undefined) return known;
    const socket = createSocket({ type: `udp${family}` });
    sockets.set(peer, socket);
    socket.on('message', (bytes, from) => {
      if (from.port === target.port) void answer(peer, bytes);
    });
    socket.on('error', () => {});
    return socket;
  };
  return {
    forward: (peer, bytes) =>
      sendDatagram(socketOf(peer), bytes, { address, port: target.port }).catch(() => {}),
    forget(peer) {
      sockets.get(peer)?.close();
      sockets.delete(peer);
    },
  };
}
