import type { RemoteInfo, Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { toNettoolError } from '../errors.js';
import { type AccessRules, createAccessCheck } from './access-list.js';
import { formatHostPort, normalizeAddress } from './address.js';
import { createDatagramCutter } from './datagrams.js';
import { limitRate, type Sink } from './flow.js';
import { lookup } from './lookup.js';
import type { OnSocketEvent } from './socket-events.js';
import { type Source, sendSource } from './source.js';
import { createForwarder, type Forwarder } from './udp-forward.js';
import { createUdpPeers, type UdpPeer, type UdpPeers } from './udp-peers.js';
import { bindUdp, isMulticast, sendDatagram } from './udp-socket.js';

/** What becomes of each datagram. */
export type UdpMode =
  | { readonly kind: 'print'; readonly input: Source }
  | { readonly kind: 'echo' }
  | { readonly kind: 'sink' }
  | { readonly kind: 'chat' }
  | { readonly kind: 'reply'; readonly reply: Buffer }
  | { readonly kind: 'forward'; readonly host: string; readonly port: number };

/** A server of datagrams. */
export interface UdpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly mode: UdpMode;
  readonly multicast?: readonly string[] | undefined;
  readonly access?: AccessRules | undefined;
  /** One datagram, then the end. */
  readonly once?: boolean | undefined;
  /** A peer that is silent for so long is forgotten. */
  readonly idleTimeoutMs?: number | undefined;
  /** Cuts the input into datagrams of so many bytes instead of lines. */
  readonly chunkBytes?: number | undefined;
  readonly limitRate?: number | undefined;
  readonly checksum?: boolean | undefined;
  /** Shows what a peer said; while it is busy, some more is kept, and then dropped. */
  readonly openOutput: (peer: UdpPeer) => Sink;
  readonly onSent?: ((peer: UdpPeer, bytes: Buffer) => void) | undefined;
  readonly onEvent: OnSocketEvent;
  readonly signal: AbortSignal;
}

/** What a server did in all. */
export interface UdpTotals {
  readonly peers: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Serves until the signal (or, with `once`, the first datagram). */
export async function runUdpServer(options: UdpServerOptions): Promise<UdpTotals> {
  const { onEvent, signal, once } = options;
  const socket = await open(options);
  const over = Promise.withResolvers<void>();
  const { peers, receive, finish } = await createReceiver(socket, options, over);
  const isAllowed = options.access && createAccessCheck(options.access);
  socket.on('message', (bytes, remote) => {
    if (isAllowed?.(remote.address) !== false) receive(bytes, remote);
  });
  socket.on('error', (error) => over.reject(toNettoolError(error, 'cannot receive')));
  const sweeper = startSweeper(peers, options.idleTimeoutMs);
  const { address, port } = socket.address();
  onEvent({ type: 'listening', host: address, port, url: `udp://${formatHostPort(address, port)}` });
  const stop = (): void => over.resolve();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    await over.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    clearInterval(sweeper);
    await finish();
    socket.close();
    for (const peer of [...peers.all.values()]) peers.forget(peer, once === true ? 'fin' : 'signal');
  }
  return peers.totals;
}

/** Everything that happens to a datagram: shown, answered, and the input begun. */
async function createReceiver(socket: Socket, options: UdpServerOptions, over: PromiseWithResolvers<void>) {
  const { mode, onEvent } = options;
  const outputs = new Map<number, Sink>();
  const send = createSend(socket, options);
  const forwarder = mode.kind === 'forward' ? await createForwarder(mode, send) : undefined;
  const peers = createUdpPeers(onEvent, options.checksum === true, (peer) => {
    outputs.delete(peer.id);
    forwarder?.forget(peer);
  });
  const show = createBoundedOutput(onEvent);
  const answer = createAnswer(mode, { peers, send, forwarder });
  const input = mode.kind === 'print' ? createInput(options, mode.input, { peers, send }) : undefined;
  const receive = (bytes: Buffer, remote: RemoteInfo): void => {
    const peer = peers.meet(normalizeAddress(remote.address), remote.port);
    peer.received(bytes);
    if (mode.kind === 'print' || mode.kind === 'reply') {
      const output = outputs.get(peer.id) ?? options.openOutput(peer);
      outputs.set(peer.id, output);
      show(output, bytes);
    }
    const answered = answer(peer, bytes);
    input?.start(over.reject);
    if (options.once === true) answered.then(() => over.resolve());
  };
  const finish = async (): Promise<void> => {
    input?.stop();
    await show.flushed();
  };
  return { peers, receive, finish };
}

async function open({ host, port, signal, ...options }: UdpServerOptions): Promise<Socket> {
  const family = isIP(host) as 0 | 4 | 6;
  const [found] = family === 0 ? await lookup(host, { signal }) : [{ address: host, family }];
  const groups = options.multicast ?? [];
  // Who listens on a group's address means to hear the group; on which interface may be told as with any other.
  const joins = isMulticast(host) && !groups.some((group) => group.startsWith(`${host}%`));
  const multicast = joins ? [host, ...groups] : options.multicast;
  // A group is heard on every address of the machine, and by every program that joins it.
  const shared = multicast !== undefined;
  const bound = shared && family !== 6 && host === '127.0.0.1' ? '0.0.0.0' : (found?.address ?? host);
  return bindUdp({ family: (found?.family ?? 4) as 4 | 6, host: bound, port, multicast, shared });
}

/** Sends to a peer, in order, and counts it. */
export type SendToPeer = (peer: UdpPeer, bytes: Buffer) => Promise<void>;

function createSend(socket: Socket, options: UdpServerOptions): SendToPeer {
  return async (peer, bytes) => {
    try {
      await sendDatagram(socket, bytes, peer);
      peer.sent(bytes);
      options.onSent?.(peer, bytes);
    } catch (error) {
      const { code, message } = toNettoolError(error);
      const { id, address, port } = peer;
      options.onEvent({
        type: 'connection-error',
        id,
        remoteAddress: address,
        remotePort: port,
        code,
        message,
      });
    }
  };
}

interface Parts {
  readonly peers: UdpPeers;
  readonly send: SendToPeer;
  readonly forwarder?: Forwarder | undefined;
}

function createAnswer(
  mode: UdpMode,
  { peers, send, forwarder }: Parts,
): (peer: UdpPeer, bytes: Buffer) => Promise<void> {
  return async (peer, bytes) => {
    if (mode.kind === 'echo') await send(peer, bytes);
    else if (mode.kind === 'reply') await send(peer, mode.reply);
    else if (mode.kind === 'forward') await forwarder?.forward(peer, bytes);
    else if (mode.kind === 'chat') {
      await Promise.all(
        [...peers.all.values()].filter((other) => other !== peer).map((other) => send(other, bytes)),
      );
    }
  };
}

/** Sends the input to everybody heard so far, from the first datagram on. */
function createInput(options: UdpServerOptions, input: Source, { peers, send }: Parts) {
  const stopper = new AbortController();
  let started = false;
  return {
    start(onError: (error: unknown) => void): void {
      if (started) return;
      started = true;
      const cutter = createDatagramCutter(async (bytes) => {
        const datagram = Buffer.from(bytes);
        await Promise.all([...peers.all.values()].map((peer) => send(peer, datagram)));
      }, options.chunkBytes);
      const sink = options.limitRate === undefined ? cutter.sink : limitRate(cutter.sink, options.limitRate);
      sendSource(input, sink, stopper.signal)
        .then(() => cutter.finish())
        .catch((error) => stopper.signal.aborted || onError(error));
    },
    stop: () => stopper.abort(),
  };
}

/** What may wait for a slow output. A socket of datagrams cannot be held up: beyond this they are lost, and it is said. */
const WAITING_BYTES = 16 * 2 ** 20;

/** Writes datagrams one after the other, and drops what comes while too much waits. */
export function createBoundedOutput(onEvent: OnSocketEvent) {
  let waitingBytes = 0;
  let last: Promise<void> = Promise.resolve();
  let warned = false;
  const show = (output: Sink, bytes: Buffer): void => {
    if (waitingBytes === 0) {
      const wait = output(bytes);
      if (wait === undefined) return;
      waitingBytes = Math.max(1, bytes.length);
      last = wait.finally(() => {
        waitingBytes -= Math.max(1, bytes.length);
      });
    } else if (waitingBytes > WAITING_BYTES) {
      if (!warned) onEvent({ type: 'warning', message: 'the output is too slow: datagrams are lost' });
      warned = true;
    } else {
      waitingBytes += bytes.length;
      last = last
        .then(() => output(bytes))
        .finally(() => {
          waitingBytes -= bytes.length;
        });
    }
    last.catch(() => {});
  };
  return Object.assign(show, { flushed: () => last });
}

function startSweeper(peers: UdpPeers, idleTimeoutMs: number | undefined): NodeJS.Timeout | undefined {
  if (idleTimeoutMs === undefined) return undefined;
  return setInterval(
    () => {
      const oldest = performance.now() - idleTimeoutMs;
      for (const peer of [...peers.all.values()]) if (peer.lastAt < oldest) peers.forget(peer, 'idle');
    },
    Math.min(1000, Math.max(20, idleTimeoutMs / 2)),
  );
}
