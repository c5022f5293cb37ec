/** An address of an interface; what the system does not have is null. */
export interface InterfaceAddress {
  readonly family: 'inet' | 'inet6';
  readonly address: string;
  readonly prefixLength: number;
  /** IPv4 only. */
  readonly netmask: string | null;
  readonly broadcast: string | null;
  /** `global`, `link`, `host` or `site`. */
  readonly scope: string;
  /** The other end of a point-to-point address. */
  readonly peer: string | null;
  readonly label: string | null;
  /** `permanent`, `secondary`, `temporary`, `tentative`, `deprecated`, `dadfailed`… */
  readonly flags: readonly string[];
  /** Seconds; null is for ever. */
  readonly validSeconds: number | null;
  readonly preferredSeconds: number | null;
}

/** What an interface has received. */
export interface ReceiveCounters {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  /** For want of room or a taker. */
  readonly dropped: number;
  /** Missed by the card. */
  readonly missed: number;
  readonly overruns: number;
  readonly frame: number;
  readonly multicast: number;
}

/** What an interface has sent. */
export interface TransmitCounters {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
  readonly overruns: number;
  readonly carrier: number;
  readonly collisions: number;
}

/** A network interface, whatever its state. */
export interface NetworkInterface {
  readonly name: string;
  readonly index: number;
  /** `ether`, `loopback`, `none`, `tunnel`… */
  readonly type: string;
  /** What makes it: `veth`, `bridge`, `tun`… */
  readonly kind: string | null;
  readonly description: string | null;
  readonly altNames: readonly string[];
  /** The flags as names, and as the system's number. */
  readonly flags: readonly string[];
  readonly flagBits: number;
  readonly up: boolean;
  readonly running: boolean;
  readonly loopback: boolean;
  readonly mtu: number;
  readonly mac: string | null;
  readonly permanentMac: string | null;
  readonly queueLength: number | null;
  /** The bridge or bond it belongs to, and the interface it sits on. */
  readonly master: string | null;
  readonly link: string | null;
  /** RFC 2863: `up`, `down`, `unknown`, `dormant`, `lowerlayerdown`… */
  readonly state: string;
  readonly speedMbps: number | null;
  readonly duplex: string | null;
  readonly driver: string | null;
  readonly addresses: readonly InterfaceAddress[];
  readonly rx: ReceiveCounters;
  readonly tx: TransmitCounters;
}

/** A way to other networks. */
export interface Route {
  readonly family: 'inet' | 'inet6';
  /** `default`, or a network such as `192.0.2.0/24`. */
  readonly destination: string;
  readonly gateway: string | null;
  readonly interface: string | null;
  readonly metric: number | null;
  /** The local address it prefers. */
  readonly source: string | null;
}

/** Who turns names into addresses. */
export interface DnsSettings {
  readonly servers: readonly string[];
  readonly search: readonly string[];
}

/** One system's way to know its interfaces. */
export interface InterfacesBackend {
  list(): Promise<NetworkInterface[]>;
  routes(): Promise<Route[]>;
  dns(): Promise<DnsSettings>;
}
