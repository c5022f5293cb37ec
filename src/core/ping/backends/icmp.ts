import { formatIpBytes, parseIpBytes } from '../../net/ip-bytes.js';
import { decodeSockaddr, encodeSockaddr } from '../../net/sockaddr.js';
import { createRealtimeClock, type Libc, nameErrno, type ReceivedMessage } from '../../platform/libc.js';
import { platform } from '../../platform/os.js';
import {
  checksum,
  createEchoRequest,
  decodeEcho,
  decodeIcmpError,
  ECHO,
  type EchoMessage,
  findWrongData,
  ICMP_HEADER_BYTES,
  stampEchoRequest,
  stripIpHeader,
} from '../packet.js';
import type {
  BackendListener,
  PingBackend,
  PingOptions,
  PingTarget,
  ProbeError,
  ProbeReply,
} from '../types.js';
import { type ControlInfo, decodeControl, type ExtendedError } from './control.js';
import { type IcmpSocket, interfaceIndex, openIcmpSocket } from './icmp-socket.js';
import { localError, ORIGIN_LOCAL, tooLong, toProbeError } from './probe-error.js';
import { findSource } from './route.js';

/** Sequence numbers are 16 bits; an answer this many probes later is taken for one to the newer probe. */
const REMEMBERED_PROBES = 32_768;
/** Packets sent in a row before what has come back is read, lest a burst to nearby hosts overflows the buffer. */
const SENDS_PER_DRAIN = 16;
const MAX_SEND_TRIES = 8;
const RETRY_MS = 2;

interface SentProbe {
  readonly seq: number;
  readonly sentNs: number;
  /** The same moment by the clock that is never set. */
  readonly sentMs: number;
}

/** A target with its socket and the probes it may still answer. */
interface Lane {
  readonly target: PingTarget;
  /** The address in canonical form, as senders are decoded. */
  readonly key: string;
  readonly sockaddr: Buffer;
  readonly socket: SocketState;
  readonly sent: Map<number, SentProbe>;
  lastSeq: number;
}

/** A socket, its request packet, and who is probed through it: each address once. */
interface SocketState {
  readonly socket: IcmpSocket;
  readonly packet: Buffer;
  readonly lanes: Map<string, Lane>;
}

/** What {@link openIcmpBackend} needs. */
export interface IcmpBackendSettings {
  readonly libc: Libc;
  readonly raw: boolean;
  readonly targets: readonly PingTarget[];
  readonly options: PingOptions;
  readonly listener: BackendListener;
}

/**
 * ICMP echo by the kernel's own sockets, with its time stamps, the TTL of replies and the ICMP errors routers
 * send. Throws the system's error where such sockets are not permitted.
 */
export function openIcmpBackend(settings: IcmpBackendSettings): PingBackend {
  const { libc, raw, targets, options, listener } = settings;
  const clock = createRealtimeClock(libc);
  const sockets: SocketState[] = [];
  const lanes = new Map<PingTarget, Lane>();
  let sends = 0;
  /** Set while the errors behind a failed send are read. */
  let errorsSeen: ((error: ExtendedError, seq: number) => void) | undefined;

  let closed = false;
  const close = (): void => {
    closed = true;
    for (const { socket } of sockets) socket.close();
  };
  try {
    for (const target of targets) lanes.set(target, openLane(target));
  } catch (error) {
    close();
    throw error;
  }
  return {
    method: raw ? 'icmp-raw' : 'icmp-dgram',
    sourceOf: (target) => findSource(libc, target, options),
    send(target, seq) {
      const lane = lanes.get(target);
      if (lane !== undefined) sendProbe(lane, seq, 0);
    },
    collect() {
      for (const { socket } of sockets) socket.drain(true);
    },
    close,
  };

  /** The same address twice takes two sockets: their identifiers keep the answers apart. */
  function openLane(target: PingTarget): Lane {
    const key = addressKey(target.address);
    let state = sockets.find(({ socket, lanes }) => socket.family === target.family && !lanes.has(key));
    if (state === undefined) {
      const created: SocketState = {
        lanes: new Map(),
        packet: createEchoRequest(target.family, options.sizeBytes, options.pattern),
        socket: openIcmpSocket({
          libc,
          family: target.family,
          raw,
          options,
          onMessage: (message, isError) => receive(created, message, isError),
        }),
      };
      sockets.push(created);
      state = created;
    }
    const sockaddr = encodeSockaddr(target.address, 0, scopeOf(libc, target, options));
    const lane: Lane = { target, key, sockaddr, socket: state, sent: new Map(), lastSeq: 0 };
    state.lanes.set(key, lane);
    return lane;
  }

  function sendProbe(lane: Lane, seq: number, tries: number): void {
    // A repeated try may come after the end, when the descriptor belongs to someone else.
    if (closed) return;
    const { socket, packet } = lane.socket;
    stampEchoRequest(packet, { identifier: socket.identifier, sequence: seq, nowMs: Date.now() });
    lane.lastSeq = seq;
    lane.sent.delete((seq - REMEMBERED_PROBES) & 0xffff);
    const sentMs = performance.now();
    const sentNs = clock.nowNs();
    const errno = socket.send(packet, lane.sockaddr);
    lane.sent.set(seq & 0xffff, { seq, sentNs, sentMs });
    if (errno !== 0) afterFailedSend(lane, seq, tries, errno);
    else if (++sends % SENDS_PER_DRAIN === 0) socket.drain();
  }

  function afterFailedSend(lane: Lane, seq: number, tries: number, errno: number): void {
    const name = nameErrno(errno);
    if ((name === 'EAGAIN' || name === 'ENOBUFS' || name === 'ENOMEM') && tries < MAX_SEND_TRIES) {
      setTimeout(sendProbe, RETRY_MS, lane, seq, tries + 1);
      return;
    }
    // A send reports the error of an earlier probe first, without sending anything.
    let told = false;
    let others = 0;
    errorsSeen = (error, about) => {
      if (error.origin === ORIGIN_LOCAL && about === seq) told = true;
      else others++;
    };
    lane.socket.socket.drain(true);
    errorsSeen = undefined;
    if (told) return;
    if (others > 0 && tries < MAX_SEND_TRIES) sendProbe(lane, seq, tries + 1);
    else listener.error(lane.target, seq, explain(localError(errno)));
  }

  /** The kernel's word for a missing SO_BROADCAST is not enlightening. */
  function explain(error: ProbeError): ProbeError {
    if (error.code !== 'EACCES' || options.broadcast) return error;
    return { ...error, message: `${error.message} (a broadcast address takes -b)` };
  }

  function receive(state: SocketState, { data, name, control }: ReceivedMessage, isError: boolean): void {
    const info = decodeControl(control);
    const from = decodeSockaddr(name)?.address;
    if (isError) {
      if (info.error !== undefined) receiveError(state, data, from, info.error);
      return;
    }
    const { family, raw } = state.socket;
    const withHeader = family === 4 && (raw || platform === 'darwin');
    const stripped = withHeader ? stripIpHeader(data) : { ttl: info.ttl, message: data };
    if (stripped === undefined) return;
    const echo = decodeEcho(stripped.message, family);
    if (echo === undefined) receiveInBandError(state, stripped.message, from);
    else if (echo.type === ECHO[family].reply && isOurs(state, echo))
      receiveReply(state, { echo, message: stripped.message, ttl: stripped.ttl, from, info });
  }

  function receiveReply(state: SocketState, arrived: Arrived): void {
    const { echo, message, from } = arrived;
    const lane = findLane(state, from, echo.sequence);
    const sent = lane?.sent.get(echo.sequence);
    if (lane === undefined || sent === undefined) return;
    const reply: ProbeReply = {
      timeMs: roundTrip(sent, arrived.info),
      bytes: message.length,
      ttl: arrived.ttl ?? null,
      ...(from !== undefined && from !== lane.key ? { from } : {}),
      ...(state.socket.raw && state.socket.family === 4 && checksum(message) !== 0
        ? { badChecksum: true }
        : {}),
    };
    const wrongData = findWrongData(state.packet.subarray(ICMP_HEADER_BYTES), echo.payload);
    listener.reply(lane.target, sent.seq, wrongData === undefined ? reply : { ...reply, wrongData });
  }

  /** By the realtime clock of kernel and program; by the other one when that was set meanwhile. */
  function roundTrip(sent: SentProbe, { receivedAt }: ControlInfo): number {
    const elapsedMs = performance.now() - sent.sentMs;
    const receivedNs =
      receivedAt === undefined ? clock.nowNs() : clock.toNs(receivedAt.seconds, receivedAt.nanoseconds);
    const timeMs = (receivedNs - sent.sentNs) / 1e6;
    return timeMs < 0 || timeMs > elapsedMs + 1 ? elapsedMs : timeMs;
  }

  /** The error queue gives back the request an error is about, and the address it was sent to. */
  function receiveError(
    state: SocketState,
    data: Buffer,
    to: string | undefined,
    error: ExtendedError,
  ): void {
    const { family } = state.socket;
    const echo = decodeEcho(data, family);
    const lane = findLane(state, to, echo?.sequence);
    if (lane === undefined || (echo !== undefined && !isOurs(state, echo))) return;
    const seq = echo === undefined ? lane.lastSeq : lane.sent.get(echo.sequence)?.seq;
    if (seq === undefined) return;
    errorsSeen?.(error, seq);
    listener.error(
      lane.target,
      seq,
      error.origin === ORIGIN_LOCAL ? tooLong(family, error) : toProbeError(family, error),
    );
  }

  function receiveInBandError(state: SocketState, message: Buffer, from: string | undefined): void {
    const error = decodeIcmpError(message, state.socket.family);
    if (error === undefined || !isOurs(state, error.echo)) return;
    const lane = findLane(state, formatIpBytes(error.to), error.echo.sequence);
    const seq = lane?.sent.get(error.echo.sequence)?.seq;
    if (lane === undefined || seq === undefined) return;
    const { type, code, info } = error;
    const offender = from;
    listener.error(lane.target, seq, toProbeError(state.socket.family, { type, code, info, offender }));
  }
}

/** A reply on its way to the probe it answers. */
interface Arrived {
  readonly echo: EchoMessage;
  readonly message: Buffer;
  readonly ttl: number | undefined;
  readonly from: string | undefined;
  readonly info: ControlInfo;
}

/** A datagram socket only ever gets its own; Linux gives its requests another identifier. */
function isOurs({ socket }: SocketState, echo: EchoMessage): boolean {
  return (!socket.raw && platform !== 'darwin') || echo.identifier === socket.identifier;
}

/** Who was probed at an address; an answer from elsewhere (broadcast, multicast, a wrong source) goes by number. */
function findLane({ lanes }: SocketState, address: string | undefined, sequence?: number): Lane | undefined {
  const direct = address === undefined ? undefined : lanes.get(address);
  if (direct !== undefined) return direct;
  const candidates = [...lanes.values()].filter(({ sent }) => sequence === undefined || sent.has(sequence));
  return candidates.length === 1 ? candidates[0] : undefined;
}

function addressKey(address: string): string {
  const bytes = parseIpBytes(address);
  return bytes === undefined ? address : formatIpBytes(bytes);
}

/** The zone of `fe80::1%eth0`, or the interface asked for. */
function scopeOf(libc: Libc, { address, family }: PingTarget, options: PingOptions): number {
  const zone = address.split('%')[1] ?? options.sourceInterface;
  return family === 4 || zone === undefined ? 0 : interfaceIndex(libc, zone);
}
