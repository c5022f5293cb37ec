import type { IpFamily } from '../net/lookup.js';

/** How probes are sent: an ICMP socket of the kernel, Windows' ICMP functions, the system's ping, or a connection. */
export type PingMethod = 'icmp-dgram' | 'icmp-raw' | 'icmp-api' | 'system' | 'tcp' | 'http';

/** ip(7)'s path MTU discovery: forbid fragments, fragment locally, as the kernel sees fit, or ignore what it knows. */
export type PathMtu = 'do' | 'want' | 'dont' | 'probe';

/** What a probe is. */
export type ProbeKind =
  /** `method` forces one of the means; without, the first that is permitted. */
  | { readonly kind: 'icmp'; readonly method?: PingMethod }
  | { readonly kind: 'tcp'; readonly port: number }
  /** `url` without a host is asked of each host. */
  | { readonly kind: 'http'; readonly url: string };

/** What {@link ping} is asked to do; times in milliseconds, sizes of the payload. */
export interface PingOptions {
  readonly hosts: readonly string[];
  readonly probe: ProbeKind;
  readonly family?: IpFamily;
  /** Probes per host; with a deadline, replies per host. */
  readonly count?: number;
  /** Between probes to one host; 0 sends the next when the last is answered. */
  readonly intervalMs: number;
  /** The interval follows the round-trip time. */
  readonly adaptive: boolean;
  /** Probes that may be on their way before the first reply. */
  readonly preload: number;
  /** How long a reply may take; by default as iputils: 10 s, or two round trips once there was a reply. */
  readonly timeoutMs?: number;
  readonly deadlineMs?: number;
  readonly sizeBytes: number;
  readonly pattern?: Uint8Array;
  readonly ttl?: number;
  readonly trafficClass?: number;
  readonly pathMtu?: PathMtu;
  readonly broadcast: boolean;
  readonly sourceAddress?: string;
  readonly sourceInterface?: string;
  /** Say when the next probe leaves before the last was answered. */
  readonly reportWaiting: boolean;
  /** Say of every probe that it leaves. */
  readonly reportSent: boolean;
  /** Stop when every host answers, or when every host has stopped answering. */
  readonly until?: 'up' | 'down';
  readonly signal: AbortSignal;
}

/** One address being probed. */
export interface PingTarget {
  /** As the caller named it. */
  readonly host: string;
  readonly address: string;
  readonly family: IpFamily;
}

/** An answer as a backend saw it. */
export interface ProbeReply {
  readonly timeMs: number;
  readonly bytes: number;
  readonly ttl: number | null;
  /** Who answered, when it was not the target. */
  readonly from?: string;
  readonly badChecksum?: boolean;
  readonly wrongData?: WrongData;
  /** The HTTP status. */
  readonly status?: number;
}

/** The first byte of a payload that came back changed, and the payload. */
export interface WrongData {
  readonly offset: number;
  readonly expected: number;
  readonly actual: number;
  readonly payloadHex: string;
}

/** A probe that failed: an ICMP error, or the refusal of this system to send it (`from` is null then). */
export interface ProbeError {
  readonly from: string | null;
  readonly icmpType: number | null;
  readonly icmpCode: number | null;
  readonly message: string;
  /** The name of the system error, such as ENETUNREACH. */
  readonly code?: string;
  readonly mtu?: number;
  /** A redirect: the probe itself goes on. */
  readonly notice?: boolean;
}

/** What a backend reports; a reply may come more than once, and late. */
export interface BackendListener {
  reply(target: PingTarget, seq: number, reply: ProbeReply): void;
  error(target: PingTarget, seq: number, error: ProbeError): void;
}

/** Sends probes; what comes of them goes to the listener it was made with. */
export interface PingBackend {
  readonly method: PingMethod;
  /** The local address probes to this target leave from, where that is known. */
  sourceOf?(target: PingTarget): string | undefined;
  send(target: PingTarget, seq: number): void;
  /** Hands over what has arrived and was not reported yet. */
  collect?(): void;
  close(): void;
}

/** Adds up to what is known about a host; null where there was no reply to measure. */
export interface PingSummary {
  readonly transmitted: number;
  readonly received: number;
  readonly duplicates: number;
  readonly corrupted: number;
  readonly wrongData: number;
  readonly outOfOrder: number;
  readonly errors: number;
  readonly lossPercent: number;
  /** Runs of consecutive probes without a reply, and the longest of them. */
  readonly lossBursts: number;
  readonly longestLossBurst: number;
  /** From the first probe to the last. */
  readonly durationMs: number;
  readonly minMs: number | null;
  readonly avgMs: number | null;
  readonly maxMs: number | null;
  /** Population standard deviation, as iputils computes it. */
  readonly mdevMs: number | null;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** Interarrival jitter of RFC 3550. */
  readonly jitterMs: number | null;
  /** Exponentially weighted moving average, weight 1/8. */
  readonly ewmaMs: number | null;
  /** From one probe to the next, on average. */
  readonly ipgMs: number | null;
  /** Most probes on their way at once. */
  readonly pipe: number;
}

/** The start of every event about a host. */
interface HostEvent {
  readonly host: string;
  readonly address: string;
}

/** A host begins to be probed. */
export interface StartEvent extends HostEvent {
  readonly type: 'start';
  readonly method: PingMethod;
  readonly family: IpFamily;
  readonly sizeBytes: number;
  readonly source: string | null;
  readonly port?: number;
  readonly url?: string;
}

/** A reply; `at` is when it was handled. */
export interface ReplyEvent extends HostEvent {
  readonly type: 'reply';
  readonly seq: number;
  readonly ttl: number | null;
  readonly bytes: number;
  readonly timeMs: number;
  readonly duplicate: boolean;
  readonly outOfOrder?: true;
  /** After its `timeout`. */
  readonly late?: true;
  readonly truncated?: true;
  readonly badChecksum?: true;
  readonly wrongData?: WrongData;
  readonly from?: string;
  readonly status?: number;
  readonly at: string;
}

/** No reply in time. */
export interface TimeoutEvent extends HostEvent {
  readonly type: 'timeout';
  readonly seq: number;
  readonly at: string;
}

/** The next probe leaves and the last is not answered yet. */
export interface WaitingEvent extends HostEvent {
  readonly type: 'waiting';
  readonly seq: number;
  readonly at: string;
}

/** An ICMP error, a refused connection, or a probe this system would not send. */
export interface ProbeErrorEvent extends HostEvent {
  readonly type: 'probe-error';
  readonly seq: number;
  readonly from: string | null;
  readonly icmpType: number | null;
  readonly icmpCode: number | null;
  readonly message: string;
  readonly code?: string;
  readonly mtu?: number;
  readonly notice?: boolean;
  readonly at: string;
}

/** One of several hosts that cannot be probed at all. */
export interface HostErrorEvent {
  readonly type: 'host-error';
  readonly host: string;
  readonly code: string;
  readonly message: string;
}

/** A probe leaves. */
export interface SentEvent extends HostEvent {
  readonly type: 'sent';
  readonly seq: number;
}

/** The end of a host's probes. */
export interface SummaryEvent extends HostEvent, PingSummary {
  readonly type: 'summary';
  readonly method: PingMethod;
  readonly sizeBytes: number;
  /** With `until`: whether what was waited for has happened. */
  readonly reached?: boolean;
}

/** Everything {@link ping} tells. */
export type PingEvent =
  | StartEvent
  | ReplyEvent
  | TimeoutEvent
  | WaitingEvent
  | ProbeErrorEvent
  | HostErrorEvent
  | SentEvent
  | SummaryEvent;
