import { NettoolError, toNettoolError } from '../../errors.js';
import type { IpFamily } from '../../net/lookup.js';
import { encodeSockaddr } from '../../net/sockaddr.js';
import { watchReadable } from '../../platform/ffi.js';
import {
  createMessageReader,
  type Libc,
  type ReceivedMessage,
  setIntOption,
  systemError,
} from '../../platform/libc.js';
import { SOCKET } from '../../platform/socket-numbers.js';
import { ECHO, ICMP_HEADER_BYTES } from '../packet.js';
import type { PathMtu, PingOptions } from '../types.js';

const IPPROTO_IP = 0;
const IPPROTO_ICMP = 1;
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
const SOL_RAW = 255;
/** Filters of raw sockets: a bit set keeps a type out (raw(7); for ICMPv6 RFC 3542 as Linux numbers it). */
const ICMP_FILTER = 1;

/** Room for what arrives while other work is done: thousands of echo replies. */
const RECEIVE_BUFFER_BYTES = 4 * 2 ** 20;
/** The IP header with options, before the ICMP header on raw sockets. */
const IP_HEADER_BYTES = 60;

const POLL_MS = 2;

const PATH_MTU: Readonly<Record<PathMtu, number>> = { dont: 0, want: 1, do: 2, probe: 3 };

/** An ICMP socket of one family. */
export interface IcmpSocket {
  readonly family: IpFamily;
  readonly raw: boolean;
  /** What a raw socket's requests carry; the kernel replaces it on a datagram socket. */
  readonly identifier: number;
  /** 0, or the errno. */
  send(packet: Buffer, to: Buffer): number;
  /** Hands over the replies that have arrived, and errors when there is no reply or they are asked for. */
  drain(errorsToo?: boolean): void;
  close(): void;
}

/** What a socket is opened for. */
export interface IcmpSocketSettings {
  readonly libc: Libc;
  readonly family: IpFamily;
  readonly raw: boolean;
  readonly options: PingOptions;
  /** A message from the socket, or with `isError` from its error queue. */
  readonly onMessage: (message: ReceivedMessage, isError: boolean) => void;
}

/** Opens a datagram or raw ICMP socket; throws the system's error when that is not permitted. */
export function openIcmpSocket(settings: IcmpSocketSettings): IcmpSocket {
  const { libc, family, raw, options } = settings;
  const domain = family === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6;
  const type = (raw ? SOCKET.SOCK_RAW : SOCKET.SOCK_DGRAM) | SOCKET.SOCK_FLAGS;
  const fd = libc.socket(domain, type, family === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
  if (fd < 0) throw systemError('socket');
  try {
    setOptions(libc, fd, settings);
    const socket = startSocket(fd, settings);
    warmUp(libc, options);
    return socket;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function startSocket(fd: number, settings: IcmpSocketSettings): IcmpSocket {
  const { libc, family, raw, options, onMessage } = settings;
  const reader = createMessageReader(
    libc,
    fd,
    ICMP_HEADER_BYTES + IP_HEADER_BYTES + options.sizeBytes + 2048,
  );
  if (reader === undefined) throw new NettoolError('UNSUPPORTED', 'no native memory for ICMP');
  /** How many messages there were, or -1 when the socket announced an error first. */
  const readAll = (flags: number): number => {
    for (let count = 0; ; count++) {
      const message = reader.read(flags);
      if (typeof message === 'number') return count === 0 && !NOTHING.has(message) ? -1 : count;
      onMessage(message, flags !== 0);
    }
  };
  const drain = (errorsToo = false): void => {
    // A pending ICMP error is told once, by the errno of any call; its entry waits in the error queue. Woken
    // for nothing, there may be entries whose errno another call has had.
    if ((readAll(0) <= 0 || errorsToo) && SOCKET.MSG_ERRQUEUE !== 0) {
      readAll(SOCKET.MSG_ERRQUEUE);
      readAll(0);
    }
  };
  const stop = watchReadable(fd, () => drain()) ?? pollByTimer(drain);
  return {
    family,
    raw,
    identifier: 1 + Math.floor(Math.random() * 0xfffe),
    send(packet, to) {
      const sent = libc.sendto(fd, packet, BigInt(packet.length), 0, to, to.length);
      return sent < 0 ? (systemError('sendto').errno ?? -1) : 0;
    },
    drain,
    close() {
      stop();
      libc.close(fd);
      reader.free();
    },
  };
}

/** Where libuv's symbols were stripped: kernel time stamps keep the measurements right all the same. */
function pollByTimer(drain: (errorsToo: boolean) => void): () => void {
  const timer = setInterval(drain, POLL_MS, true);
  return () => clearInterval(timer);
}

/** EAGAIN, on Linux and macOS. */
const NOTHING: ReadonlySet<number> = new Set([11, 35]);

function setOptions(libc: Libc, fd: number, { family, raw, options }: IcmpSocketSettings): void {
  const forced =
    SOCKET.SO_RCVBUFFORCE !== 0 &&
    setIntOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
  if (!forced) setIntOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_RCVBUF, RECEIVE_BUFFER_BYTES);
  setIntOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_TIMESTAMP, 1);
  if (options.broadcast) setIntOption(fd, SOCKET.SOL_SOCKET, SOCKET.SO_BROADCAST, 1);
  if (raw) setFilter(libc, fd, family);
  const level = family === 4 ? IPPROTO_IP : IPPROTO_IPV6;
  const names = OPTION_NAMES[family];
  if (names.receiveErrors !== 0) setIntOption(fd, level, names.receiveErrors, 1);
  setIntOption(fd, level, names.receiveTtl, 1);
  const set = (option: number, value: number, what: string): void => {
    if (!setIntOption(fd, level, option, value))
      throw toNettoolError(systemError('setsockopt'), `cannot set ${what}`);
  };
  if (options.ttl !== undefined) {
    set(names.ttl, options.ttl, `the TTL ${options.ttl}`);
    setIntOption(fd, level, names.multicastTtl, options.ttl);
  }
  if (options.trafficClass !== undefined)
    set(names.trafficClass, options.trafficClass, 'the type of service');
  if (options.pathMtu !== undefined) set(names.mtu, PATH_MTU[options.pathMtu], 'path MTU discovery');
  if (options.sourceInterface !== undefined) setInterface(libc, fd, family, options.sourceInterface);
  if (options.sourceAddress !== undefined) bindSource(libc, fd, options.sourceAddress);
}

const OPTION_NAMES = {
  4: {
    receiveErrors: SOCKET.IP_RECVERR,
    receiveTtl: SOCKET.IP_RECVTTL,
    ttl: SOCKET.IP_TTL,
    multicastTtl: SOCKET.IP_MULTICAST_TTL,
    trafficClass: SOCKET.IP_TOS,
    mtu: SOCKET.IP_MTU_DISCOVER,
  },
  6: {
    receiveErrors: SOCKET.IPV6_RECVERR,
    receiveTtl: SOCKET.IPV6_RECVHOPLIMIT,
    ttl: SOCKET.IPV6_UNICAST_HOPS,
    multicastTtl: SOCKET.IPV6_MULTICAST_HOPS,
    trafficClass: SOCKET.IPV6_TCLASS,
    mtu: SOCKET.IPV6_MTU_DISCOVER,
  },
} as const;

/** Only echo replies: errors come by the error queue, and our own requests would come back on loopback. */
function setFilter(libc: Libc, fd: number, family: IpFamily): void {
  if (family === 4) {
    const mask = Buffer.alloc(4);
    mask.writeUInt32LE(~(1 << ECHO[4].reply) >>> 0);
    libc.setsockopt(fd, SOL_RAW, ICMP_FILTER, mask, 4);
    return;
  }
  const mask = Buffer.alloc(32, 0xff);
  const { reply } = ECHO[6];
  const word = (reply >> 5) * 4;
  mask.writeUInt32LE(~(1 << (reply & 31)) >>> 0, word);
  libc.setsockopt(fd, IPPROTO_ICMPV6, ICMP_FILTER, mask, 32);
}

/**
 * Sends through an interface without binding to it: a bound socket would not hear of errors that come back by
 * another one, loopback above all (iputils#339).
 */
function setInterface(libc: Libc, fd: number, family: IpFamily, name: string): void {
  const index = interfaceIndex(libc, name);
  const value = Buffer.alloc(4);
  value.writeUInt32BE(index);
  const [level, unicast, multicast] =
    family === 4
      ? [IPPROTO_IP, SOCKET.IP_UNICAST_IF, SOCKET.IP_MULTICAST_IF]
      : [IPPROTO_IPV6, SOCKET.IPV6_UNICAST_IF, SOCKET.IPV6_MULTICAST_IF];
  if (SOCKET.IP_UNICAST_IF === 25) value.writeUInt32LE(index);
  if (libc.setsockopt(fd, level, unicast, value, 4) !== 0) {
    throw toNettoolError(systemError('setsockopt'), `cannot use the interface ${name}`);
  }
  if (family === 6) setIntOption(fd, level, multicast, index);
  else {
    // struct ip_mreqn: group, address, index.
    const request = Buffer.alloc(12);
    request.writeInt32LE(index, 8);
    libc.setsockopt(fd, level, multicast, request, 12);
  }
}

/** The number of an interface, or a usage error. */
export function interfaceIndex(libc: Libc, name: string): number {
  const index = /^\d+$/.test(name) ? Number(name) : libc.if_nametoindex(name);
  if (index === 0) throw new NettoolError('USAGE', `there is no interface '${name}'`);
  return index;
}

function bindSource(libc: Libc, fd: number, address: string): void {
  const name = encodeSockaddr(address);
  if (libc.bind(fd, name, name.length) !== 0) {
    throw toNettoolError(systemError('bind'), `cannot send from ${address}`);
  }
}

/** The first calls through FFI take milliseconds (compilation); they are made here, so that no probe pays them. */
function warmUp(libc: Libc, options: PingOptions): void {
  const packet = Buffer.alloc(ICMP_HEADER_BYTES + options.sizeBytes);
  const nowhere = encodeSockaddr('127.0.0.1');
  const spec = Buffer.alloc(16);
  for (let i = 0; i < 200; i++) {
    libc.clock_gettime(0, spec);
    libc.sendto(-1, packet, BigInt(packet.length), 0, nowhere, nowhere.length);
  }
}
