import { setTimeout as delay } from 'node:timers/promises';

/** How long to wait before a worker that keeps failing is started again. */
export interface BackOff {
  readonly firstMs: number;
  readonly maxMs: number;
  /** A worker that lived this long is no repeated failure when it dies. */
  readonly stableMs: number;
}

/** Quick at first, for the one-off crash; at most twice a minute for a program that cannot run. */
export const DEFAULT_BACK_OFF: BackOff = { firstMs: 100, maxMs: 30_000, stableMs: 10_000 };

/** Waits as long as so many failures in a row call for: twice as long each time, by chance a fifth more or less. */
export async function pauseAfter(failures: number, backOff: BackOff, signal: AbortSignal): Promise<void> {
  if (failures === 0) return;
  const { firstMs, maxMs } = backOff;
  const pauseMs = Math.min(maxMs, firstMs * 2 ** (failures - 1)) * (0.8 + Math.random() * 0.4);
  await delay(pauseMs, undefined, { signal }).catch(() => {});
}
