import type { Connection } from './connection.js';
import type { OnSocketEvent, ProgressEvent } from './socket-events.js';

const INTERVAL_MS = 1000;

/** Bytes that have moved so far. */
export interface Moved {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Reports once a second how much has moved, of one connection or of all; reads counters and nothing else. */
export function meter(
  open: Iterable<Connection>,
  closed: Moved,
  onEvent: OnSocketEvent,
  type: ProgressEvent['type'] = 'progress',
): { stop(): void } {
  const startedAt = performance.now();
  let before = sum(open, closed);
  let beforeAt = startedAt;
  const timer = setInterval(() => {
    const now = performance.now();
    const moved = sum(open, closed);
    onEvent({
      type,
      ...moved,
      durationMs: Math.round(now - startedAt),
      ...rates(before, moved, now - beforeAt),
    });
    before = moved;
    beforeAt = now;
  }, INTERVAL_MS);
  return { stop: () => clearInterval(timer) };
}

/** Bytes per second between two readings. */
export function rates(before: Moved, after: Moved, durationMs: number) {
  return {
    bytesInPerSecond: Math.round(((after.bytesIn - before.bytesIn) / durationMs) * 1000),
    bytesOutPerSecond: Math.round(((after.bytesOut - before.bytesOut) / durationMs) * 1000),
  };
}

function sum(open: Iterable<Connection>, closed: Moved): Moved {
  let { bytesIn, bytesOut } = closed;
  for (const connection of open) {
    bytesIn += connection.bytesIn;
    bytesOut += connection.bytesOut;
  }
  return { bytesIn, bytesOut };
}
