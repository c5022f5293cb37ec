import { ICMP_HEADER_BYTES } from './packet.js';
import { createStatistics, type Statistics } from './statistics.js';
import type { PingEvent, PingOptions, PingTarget, ProbeReply } from './types.js';

/** One host's course. */
export interface HostRun {
  readonly target: PingTarget;
  readonly statistics: Statistics;
  /** Probes on their way: sequence number → time sent. */
  readonly pending: Map<number, number>;
  readonly answered: Set<number>;
  readonly timedOut: Set<number>;
  lastSeq: number;
  /** When the last probe left, and when the next is due. */
  sentAt: number;
  nextAt: number;
  reached: boolean;
  finished: boolean;
  sendTimer?: NodeJS.Timeout | undefined;
  sendSoon?: NodeJS.Immediate | undefined;
  timeoutTimer?: NodeJS.Timeout | undefined;
  timeoutAt: number;
}

/** The course of a host not yet probed. */
export function createHostRun(target: PingTarget): HostRun {
  return {
    target,
    statistics: createStatistics(),
    pending: new Map(),
    answered: new Set(),
    timedOut: new Set(),
    lastSeq: 0,
    sentAt: 0,
    nextAt: 0,
    reached: false,
    finished: false,
    timeoutAt: 0,
  };
}

/** A reply as an event. */
export function toReplyEvent(
  run: HostRun,
  seq: number,
  { timeMs, bytes, ttl, ...rest }: ProbeReply,
  { duplicate, outOfOrder, options }: { duplicate: boolean; outOfOrder: boolean; options: PingOptions },
): PingEvent {
  const { host, address } = run.target;
  const expected = options.probe.kind === 'icmp' ? options.sizeBytes + ICMP_HEADER_BYTES : 0;
  return {
    type: 'reply',
    host,
    address,
    seq,
    ttl,
    bytes,
    timeMs: Math.round(timeMs * 1000) / 1000,
    duplicate,
    ...(outOfOrder ? { outOfOrder } : {}),
    ...(run.timedOut.delete(seq) ? { late: true } : {}),
    ...(bytes < expected ? { truncated: true } : {}),
    ...(rest as Pick<ProbeReply, 'from' | 'wrongData' | 'status'> & { badChecksum?: true }),
    at: timestamp(),
  };
}

/** Now, to the microsecond. */
export function timestamp(): string {
  const nowMs = performance.timeOrigin + performance.now();
  const micros = Math.floor((nowMs % 1) * 1000);
  return `${new Date(nowMs).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}
