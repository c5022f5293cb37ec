import { createHash, type Hash } from 'node:crypto';
import type { CloseReason, OnSocketEvent } from './socket-events.js';

/** Who sends datagrams: an address and port that was heard. */
export class UdpPeer {
  readonly id: number;
  readonly address: string;
  readonly port: number;
  bytesIn = 0;
  bytesOut = 0;
  lastAt = performance.now();
  private readonly startedAt = performance.now();
  private readonly hashes: { in: Hash; out: Hash } | undefined;

  constructor(id: number, address: string, port: number, checksum = false) {
    this.id = id;
    this.address = address;
    this.port = port;
    this.hashes = checksum ? { in: createHash('sha256'), out: createHash('sha256') } : undefined;
  }

  received(bytes: Buffer): void {
    this.bytesIn += bytes.length;
    this.hashes?.in.update(bytes);
    this.lastAt = performance.now();
  }

  sent(bytes: Buffer): void {
    this.bytesOut += bytes.length;
    this.hashes?.out.update(bytes);
  }

  closeEvent(reason: CloseReason) {
    return {
      type: 'close' as const,
      id: this.id,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      durationMs: Math.round(performance.now() - this.startedAt),
      reason,
      endedBy: 'local' as const,
      ...(this.hashes && {
        sha256In: this.hashes.in.copy().digest('hex'),
        sha256Out: this.hashes.out.copy().digest('hex'),
      }),
    };
  }
}

/** More are not remembered at a time: addresses of datagrams are easily forged. */
const MOST_PEERS = 10_000;

/** The peers of one server. */
export interface UdpPeers {
  readonly all: ReadonlyMap<string, UdpPeer>;
  readonly totals: { peers: number; bytesIn: number; bytesOut: number };
  /** The peer of an address, new or known. */
  meet(address: string, port: number): UdpPeer;
  forget(peer: UdpPeer, reason: CloseReason): void;
}

/** An empty set of peers; `onForget` frees what a peer holds. */
export function createUdpPeers(
  onEvent: OnSocketEvent,
  checksum: boolean,
  onForget: (peer: UdpPeer) => void,
): UdpPeers {
  const all = new Map<string, UdpPeer>();
  const totals = { peers: 0, bytesIn: 0, bytesOut: 0 };
  const forget = (peer: UdpPeer, reason: CloseReason): void => {
    if (!all.delete(`${peer.address} ${peer.port}`)) return;
    totals.bytesIn += peer.bytesIn;
    totals.bytesOut += peer.bytesOut;
    onForget(peer);
    onEvent(peer.closeEvent(reason));
  };
  return {
    all,
    totals,
    forget,
    meet(address, port) {
      const key = `${address} ${port}`;
      const known = all.get(key);
      if (known !== undefined) return known;
      const [oldest] = all.values();
      if (all.size >= MOST_PEERS && oldest !== undefined) forget(oldest, 'limit');
      totals.peers += 1;
      const peer = new UdpPeer(totals.peers, address, port, checksum);
      all.set(key, peer);
      onEvent({ type: 'open', id: peer.id, remoteAddress: address, remotePort: port });
      return peer;
    },
  };
}
