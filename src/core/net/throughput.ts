import { randomFillSync } from 'node:crypto';
import type { Connection } from './connection.js';
import { meter, rates } from './progress.js';
import type { OnSocketEvent } from './socket-events.js';

/** How fast a connection is measured. */
export interface ThroughputOptions {
  readonly durationMs: number;
  /** Receives (from a `--source`) instead of sending (to a `--sink`). */
  readonly reverse: boolean;
}

/** How long the peer may take to read what was sent. */
const FINISH_MS = 5000;

const BLOCK_BYTES = 2 ** 20;

/** Sends as fast as the peer takes it, or takes as fast as it sends; one event a second and one for all of it. */
export async function runThroughput(
  connection: Connection,
  { durationMs, reverse }: ThroughputOptions,
  onEvent: OnSocketEvent,
): Promise<void> {
  const startedAt = performance.now();
  const meters = meter([connection], { bytesIn: 0, bytesOut: 0 }, onEvent, 'interval');
  const incoming = connection.receive({ sink: () => undefined });
  incoming.catch(() => {});
  const timeUp = Promise.withResolvers<void>();
  const timer = setTimeout(timeUp.resolve, durationMs);
  try {
    if (reverse) await Promise.race([incoming, timeUp.promise]);
    else {
      const block = randomFillSync(Buffer.allocUnsafeSlow(BLOCK_BYTES));
      await sendUntil(connection, block, startedAt + durationMs);
      connection.end();
      const patience = setTimeout(() => connection.destroy('limit'), FINISH_MS);
      await Promise.race([incoming, connection.closed]);
      clearTimeout(patience);
    }
    if (connection.error !== undefined) throw connection.error;
  } finally {
    clearTimeout(timer);
    meters.stop();
  }
  const { bytesIn, bytesOut } = connection;
  const elapsedMs = performance.now() - startedAt;
  const moved = rates({ bytesIn: 0, bytesOut: 0 }, { bytesIn, bytesOut }, elapsedMs);
  onEvent({ type: 'throughput', bytesIn, bytesOut, durationMs: Math.round(elapsedMs), ...moved });
}

async function sendUntil(connection: Connection, block: Buffer, endsAt: number): Promise<void> {
  while (performance.now() < endsAt && !connection.socket.destroyed) {
    const wait = connection.send(block);
    await (wait ?? new Promise((resolve) => setImmediate(resolve)));
  }
}
