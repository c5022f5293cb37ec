import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import { formatHostPort } from './address.js';
import { createDatagramCutter } from './datagrams.js';
import { createExpectation } from './expectation.js';
import { limitRate, type Sink, toCrlf } from './flow.js';
import { lookup } from './lookup.js';
import type { CloseReason, OnSocketEvent } from './socket-events.js';
import { type Source, sendSource } from './source.js';
import { UdpPeer } from './udp-peers.js';
import { createBoundedOutput } from './udp-server.js';
import { isBroadcast, isMulticast, joinGroup, sendDatagram } from './udp-socket.js';

/** A client of datagrams. */
export interface UdpClientOptions {
  readonly host: string;
  readonly port: number;
  readonly family?: 4 | 6 | undefined;
  readonly source?: { readonly host: string; readonly port?: number } | undefined;
  /** What is sent: `bytes` as one datagram, anything else cut into lines or chunks. */
  readonly input: Source;
  readonly chunkBytes?: number | undefined;
  readonly crlf?: boolean;
  /** Groups to join, to hear what is sent to them. */
  readonly multicast?: readonly string[] | undefined;
  /** How many routers a datagram to a group may pass. */
  readonly ttl?: number | undefined;
  readonly expect?: RegExp | undefined;
  /** Ends at the first datagram that comes. */
  readonly once?: boolean | undefined;
  /** Ends, well, when everything is sent; nothing that comes counts. */
  readonly sendOnly?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
  readonly limitRate?: number | undefined;
  readonly checksum?: boolean | undefined;
  readonly output: Sink;
  readonly onSent?: ((bytes: Buffer) => void) | undefined;
  readonly onEvent: OnSocketEvent;
  readonly signal: AbortSignal;
}

/**
 * Sends the input as datagrams and shows what comes back, until the time is up (well, if anything was heard), the
 * expectation holds, the first answer when one is enough, the last datagram is sent when that is enough, or the signal.
 */
export async function runUdpClient(options: UdpClientOptions): Promise<void> {
  const { onEvent, signal } = options;
  const { socket, peer, isConnected } = await open(options);
  const stopInput = new AbortController();
  const over = Promise.withResolvers<CloseReason>();
  let reason: CloseReason = 'fin';
  const show = createBoundedOutput(onEvent);
  const expectation = options.expect && createExpectation(options.expect);
  let heard = false;
  const timers = createTimers(options, (cause) => over.resolve(cause));
  socket.on('message', (bytes) => {
    if (options.sendOnly === true) return;
    heard = true;
    peer.received(bytes);
    timers.touch();
    show(options.output, bytes);
    expectation?.look(bytes);
    if (options.once === true || expectation?.isMatched === true) over.resolve('fin');
  });
  socket.on('error', (error) => over.reject(toNettoolError(error, `cannot reach ${nameOf(options)}`)));
  const abort = (): void => over.resolve('signal');
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  onEvent({ type: 'open', id: 1, remoteAddress: peer.address, remotePort: peer.port });
  sendInput(options, { socket, peer, isConnected, stop: stopInput.signal, touch: timers.touch }).then(
    () => options.sendOnly === true && over.resolve('fin'),
    (error) => !stopInput.signal.aborted && over.reject(error),
  );
  try {
    reason = await over.promise;
    await show.flushed();
  } catch (error) {
    reason = 'reset';
    throw error;
  } finally {
    timers.stop();
    stopInput.abort();
    signal.removeEventListener('abort', abort);
    socket.close();
    onEvent(peer.closeEvent(reason));
  }
  if (signal.aborted) throw signal.reason;
  if (options.sendOnly === true) {
    if (reason === 'fin') return;
    throw new NettoolError('TIMEOUT', `the time was up before all was sent to ${nameOf(options)}`);
  }
  judge(options, { heard, matched: expectation?.isMatched === true });
}

/** Time that is up is the usual end here: what counts is whether anything, or the right thing, was heard. */
function judge(options: UdpClientOptions, { heard, matched }: { heard: boolean; matched: boolean }): void {
  if (options.expect !== undefined && !matched) {
    throw new NettoolError('EXPECTATION_FAILED', `nothing that matches ${options.expect} came`);
  }
  if (!heard) throw new NettoolError('TIMEOUT', `nothing came from ${nameOf(options)}`);
}

async function open(options: UdpClientOptions) {
  const { host, port, source, signal, multicast = [] } = options;
  const bound = isIP(source?.host ?? '') as 0 | 4 | 6;
  const [found] = await lookup(host, { family: bound === 0 ? options.family : bound, signal });
  if (found === undefined) throw new NettoolError('DNS_NOT_FOUND', `cannot resolve ${host}`);
  const socket = createSocket({ type: `udp${found.family}`, reuseAddr: multicast.length > 0 });
  // A group or a broadcast is answered by others than it was sent to; a connected socket would not hear them.
  const isConnected = !isMulticast(found.address) && !isBroadcast(found.address) && multicast.length === 0;
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port: source?.port ?? 0, ...(source && { address: source.host }) }, resolve);
    });
    socket.setBroadcast(true);
    if (options.ttl !== undefined) {
      socket.setTTL(options.ttl);
      socket.setMulticastTTL(options.ttl);
    }
    for (const group of multicast) joinGroup(socket, group, found.family as 4 | 6);
    if (isConnected) await connect(socket, port, found.address);
  } catch (error) {
    socket.close();
    throw toNettoolError(error, `cannot reach ${nameOf(options)}`);
  }
  socket.removeAllListeners('error');
  return { socket, isConnected, peer: new UdpPeer(1, found.address, port, options.checksum) };
}

function connect(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(port, address, ((error?: Error) => (error ? reject(error) : resolve())) as () => void);
  });
}

interface Sending {
  readonly socket: Socket;
  readonly peer: UdpPeer;
  readonly isConnected: boolean;
  readonly stop: AbortSignal;
  /** Something has moved. */
  touch(): void;
}

async function sendInput(
  options: UdpClientOptions,
  { socket, peer, isConnected, stop, touch }: Sending,
): Promise<void> {
  const { input, onSent } = options;
  const send = async (bytes: Buffer): Promise<void> => {
    if (stop.aborted) throw stop.reason;
    await sendDatagram(socket, bytes, isConnected ? undefined : peer);
    peer.sent(bytes);
    touch();
    onSent?.(bytes);
  };
  if (input.kind === 'bytes') {
    await toCrlfOnce(input.bytes, options.crlf === true, send);
    return;
  }
  const cutter = createDatagramCutter(send, options.chunkBytes);
  const limited = options.limitRate === undefined ? cutter.sink : limitRate(cutter.sink, options.limitRate);
  await sendSource(input, options.crlf === true ? toCrlf(limited) : limited, stop);
  await cutter.finish();
}

/** One datagram, also an empty one. */
async function toCrlfOnce(
  bytes: Buffer,
  crlf: boolean,
  send: (bytes: Buffer) => Promise<void>,
): Promise<void> {
  await (crlf ? toCrlf(send)(bytes) : send(bytes));
}

function createTimers({ timeoutMs, idleTimeoutMs }: UdpClientOptions, onTime: (reason: CloseReason) => void) {
  const whole = timeoutMs === undefined ? undefined : setTimeout(() => onTime('limit'), timeoutMs);
  const idle = idleTimeoutMs === undefined ? undefined : setTimeout(() => onTime('idle'), idleTimeoutMs);
  return {
    touch: () => void idle?.refresh(),
    stop() {
      clearTimeout(whole);
      clearTimeout(idle);
    },
  };
}

function nameOf({ host, port }: UdpClientOptions): string {
  return formatHostPort(host, port);
}
