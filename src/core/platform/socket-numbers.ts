import { platform } from './os.js';

/** The numbers of socket(7), ip(7) and ipv6(7) that ping needs; zero where a system has no such option. */
const LINUX = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  /** SOCK_NONBLOCK | SOCK_CLOEXEC, or-ed to the type. */
  SOCK_FLAGS: 0x80800,
  SOL_SOCKET: 1,
  SO_BROADCAST: 6,
  SO_RCVBUF: 8,
  SO_RCVBUFFORCE: 33,
  SO_BINDTODEVICE: 25,
  SO_TIMESTAMP: 35,
  IP_TOS: 1,
  IP_TTL: 2,
  IP_MTU_DISCOVER: 10,
  IP_RECVERR: 11,
  IP_RECVTTL: 12,
  IP_MULTICAST_IF: 32,
  IP_MULTICAST_TTL: 33,
  IP_UNICAST_IF: 50,
  IPV6_UNICAST_HOPS: 16,
  IPV6_MULTICAST_IF: 17,
  IPV6_MULTICAST_HOPS: 18,
  IPV6_MTU_DISCOVER: 23,
  IPV6_RECVERR: 25,
  IPV6_RECVHOPLIMIT: 51,
  IPV6_TCLASS: 67,
  IPV6_UNICAST_IF: 76,
  MSG_ERRQUEUE: 0x2000,
};

/** The same for macOS; its time stamps are timevals and its ICMP errors come as ordinary packets. */
const DARWIN: typeof LINUX = {
  ...LINUX,
  AF_INET6: 30,
  SOCK_FLAGS: 0,
  SOL_SOCKET: 0xffff,
  SO_BROADCAST: 0x20,
  SO_RCVBUF: 0x1002,
  SO_RCVBUFFORCE: 0,
  SO_BINDTODEVICE: 0,
  SO_TIMESTAMP: 0x400,
  IP_TOS: 3,
  IP_TTL: 4,
  IP_MTU_DISCOVER: 28,
  IP_RECVERR: 0,
  IP_RECVTTL: 24,
  IP_MULTICAST_IF: 66,
  IP_MULTICAST_TTL: 10,
  IP_UNICAST_IF: 25,
  IPV6_UNICAST_HOPS: 4,
  IPV6_MULTICAST_IF: 9,
  IPV6_MULTICAST_HOPS: 10,
  IPV6_MTU_DISCOVER: 62,
  IPV6_RECVERR: 0,
  IPV6_RECVHOPLIMIT: 37,
  IPV6_TCLASS: 36,
  IPV6_UNICAST_IF: 125,
  MSG_ERRQUEUE: 0,
};

/** The socket numbers of this system. */
export const SOCKET: typeof LINUX = platform === 'darwin' ? DARWIN : LINUX;
