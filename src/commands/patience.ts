import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, NettoolError, toNettoolError } from '../core/errors.js';
import type { ClientResponse } from '../core/http/client.js';
import type { AllFlags } from './all-flags.js';
import type { Expectations } from './expectations.js';
import type { RequestPlan } from './request-plan.js';

/** Decides whether there is another attempt. */
export interface Patience {
  /** The pause before the next attempt, `undefined` to take this answer. */
  afterAnswer(attempt: number, response: ClientResponse, isAsExpected: boolean): number | undefined;
  /** The pause before the next attempt, `undefined` to give up. */
  afterFailure(attempt: number, code: ErrorCode): number | undefined;
  /** Until when an attempt may take; `undefined` for ever. */
  readonly untilMs: number | undefined;
  /** There may be more than one attempt at all. */
  readonly isPatient: boolean;
}

const POLL_MS = 1000;

/** A timer for longer runs out at once; this is 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** After these a service may yet come up. */
const STARTING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TLS_CERTIFICATE',
  'MALFORMED_REPLY',
  'BAD_ENCODING',
]);

/** The patience that `--wait` and `--retry` ask for, within `--timeout`. */
export async function createPatience(
  plan: RequestPlan,
  flags: AllFlags,
  expectations: Expectations,
): Promise<Patience> {
  const { isRepeatable, isRetryCode, isRetryStatus, pauseMs, retryAfterMs } = await import(
    '../core/http/retry.js'
  );
  const startedAt = performance.now();
  const { wait, retry = 0, retryDelay } = flags;
  const waitUntil = wait === undefined ? undefined : startedAt + wait;
  const deadline = flags.timeout ? startedAt + flags.timeout : Number.POSITIVE_INFINITY;
  const canRetry =
    retry > 0 && (flags.retryAll === true || isRepeatable(plan.method, plan.headers)) && canSendAgain(plan);
  const poll = (): number | undefined =>
    waitUntil !== undefined && performance.now() + POLL_MS < waitUntil ? POLL_MS : undefined;
  // A pause that goes beyond the limit, or beyond what a timer can hold, is not begun.
  const inTime = (ms: number): number | undefined =>
    performance.now() + ms < deadline && ms <= LONGEST_TIMER_MS ? ms : undefined;
  return {
    untilMs: waitUntil,
    isPatient: waitUntil !== undefined || canRetry,
    afterAnswer(attempt, { status, headers }, isAsExpected) {
      if (waitUntil !== undefined) return isAsExpected ? undefined : poll();
      const isGood = flags.expect !== undefined && expectations.acceptsStatus(status);
      if (!canRetry || attempt > retry || !isRetryStatus(status) || isGood) return undefined;
      return inTime(retryAfterMs(headers) ?? pauseMs(attempt, retryDelay));
    },
    afterFailure(attempt, code) {
      if (waitUntil !== undefined) return isRetryCode(code) || STARTING.has(code) ? poll() : undefined;
      if (!canRetry || attempt > retry || !isRetryCode(code)) return undefined;
      return inTime(pauseMs(attempt, retryDelay));
    },
  };
}

function canSendAgain({ body }: RequestPlan): boolean {
  return body === undefined || typeof body === 'string' || body instanceof Uint8Array || body.isReplayable;
}

/** Waits, unless the run is to end first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw toNettoolError(signal.reason);
  }
}

/** A signal that also aborts when the time for waiting is up. */
export function limitAttempt(signal: AbortSignal, untilMs: number | undefined) {
  if (untilMs === undefined) return { signal, clear: () => {} };
  const limit = new AbortController();
  const timer = setTimeout(
    () => limit.abort(new NettoolError('TIMEOUT', 'no answer that was waited for came in time (--wait)')),
    Math.max(1, untilMs - performance.now()),
  );
  return { signal: AbortSignal.any([signal, limit.signal]), clear: () => clearTimeout(timer) };
}
