import { isRoot } from '../platform/os.js';
import { createHostRun, type HostRun, timestamp, toReplyEvent } from './host-run.js';
import type {
  BackendListener,
  PingBackend,
  PingEvent,
  PingOptions,
  PingTarget,
  ProbeError,
  ProbeReply,
  SummaryEvent,
} from './types.js';

/** iputils' wait for the first reply of a host; among several hosts a dead one must not hold up the rest. */
const FIRST_REPLY_MS = 10_000;
const FIRST_REPLY_OF_MANY_MS = 2000;
/** However fast replies have come, none is given up sooner. */
const SHORTEST_WAIT_MS = 100;
/** With no interval and no replies, 100 probes a second (iputils). */
const UNANSWERED_FLOOD_MS = 10;
/** What iputils allows ordinary users. */
export const USER_INTERVAL_MS = 2;
/** Probes to several hosts are spread over the interval, at most this far apart. */
const SPREAD_MS = 10;
/** A reply further back than this is taken for one to a newer probe. */
const REMEMBERED_PROBES = 32_768;

/** Sends probes at their times and makes events of what comes back. */
export interface Session {
  /** What the backend reports to. */
  readonly listener: BackendListener;
  /** Probes until everything asked for has happened, or `stop`. */
  run(backend: PingBackend): Promise<void>;
  stop(): void;
  summaries(method: PingBackend['method']): SummaryEvent[];
}

/** A {@link Session} over some targets. */
export function createSession(
  targets: readonly PingTarget[],
  options: PingOptions,
  emit: (event: PingEvent) => void,
): Session {
  const runs = targets.map(createHostRun);
  const byTarget = new Map(runs.map((run) => [run.target, run]));
  const firstReplyMs = targets.length > 1 ? FIRST_REPLY_OF_MANY_MS : FIRST_REPLY_MS;
  let backend: PingBackend | undefined;
  let unfinished = runs.length;
  let resolveDone: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    resolveDone = resolve;
  });

  return {
    listener: {
      reply: (target, seq, reply) => withRun(target, (run) => onReply(run, seq, reply)),
      error: (target, seq, error) => withRun(target, (run) => onError(run, seq, error)),
    },
    async run(opened) {
      backend = opened;
      const startedAt = performance.now();
      const spacing = Math.min(SPREAD_MS, options.intervalMs / runs.length);
      runs.forEach((run, index) => {
        run.nextAt = startedAt + index * spacing;
        scheduleSend(run);
      });
      const deadline =
        options.deadlineMs === undefined
          ? undefined
          : setTimeout(() => runs.forEach(finish), options.deadlineMs);
      await done.finally(() => clearTimeout(deadline));
    },
    stop: () => runs.forEach(finish),
    summaries: (method) => runs.map((run) => summarize(run, method)),
  };

  function withRun(target: PingTarget, handle: (run: HostRun) => void): void {
    const run = byTarget.get(target);
    if (run !== undefined && !run.finished) handle(run);
  }

  /** Sends the next probe; at the start as many as are to be preloaded. */
  function send(run: HostRun): void {
    run.sendTimer = undefined;
    run.sendSoon = undefined;
    do {
      if (run.finished || isAllSent(run)) return;
      sendProbe(run);
    } while (run.lastSeq < options.preload);
    const interval = intervalOf(run);
    // A late probe does not delay the next, except the first, which pays for the start.
    const first = run.lastSeq <= options.preload;
    run.nextAt = (first ? run.sentAt : Math.max(run.nextAt, run.sentAt - interval)) + interval;
    scheduleSend(run);
  }

  function sendProbe(run: HostRun): void {
    const { host, address } = run.target;
    if (options.reportWaiting && run.pending.has(run.lastSeq)) {
      emit({ type: 'waiting', host, address, seq: run.lastSeq, at: timestamp() });
    }
    const seq = ++run.lastSeq;
    run.sentAt = performance.now();
    run.pending.set(seq, run.sentAt);
    run.answered.delete(seq - REMEMBERED_PROBES);
    run.timedOut.delete(seq - REMEMBERED_PROBES);
    run.statistics.sent(run.sentAt);
    if (options.reportSent) emit({ type: 'sent', host, address, seq });
    backend?.send(run.target, seq);
    armTimeout(run);
  }

  function isAllSent({ lastSeq }: HostRun): boolean {
    return options.count !== undefined && options.deadlineMs === undefined && lastSeq >= options.count;
  }

  function intervalOf({ statistics }: HostRun): number {
    if (!options.adaptive) return options.intervalMs;
    const interval = Math.round(statistics.ewmaMs ?? options.intervalMs);
    return isRoot() ? interval : Math.max(interval, USER_INTERVAL_MS);
  }

  function scheduleSend(run: HostRun): void {
    if (run.finished || isAllSent(run)) return;
    const now = performance.now();
    if (intervalOf(run) === 0 && run.lastSeq > 0) {
      if (run.pending.size < options.preload) {
        sendSoon(run);
        return;
      }
      run.nextAt = now + UNANSWERED_FLOOD_MS;
    }
    // The pace may have become faster since the last probe left.
    if (options.adaptive && run.lastSeq > 0) run.nextAt = Math.min(run.nextAt, run.sentAt + intervalOf(run));
    const waitMs = run.nextAt - now;
    if (waitMs <= 0) sendSoon(run);
    else {
      clearTimeout(run.sendTimer);
      // Node cuts fractions off; a probe must not leave early.
      run.sendTimer = setTimeout(send, Math.ceil(waitMs), run);
    }
  }

  /** Not at once: signals, timers and other hosts get their turn between two probes of a flood. */
  function sendSoon(run: HostRun): void {
    clearTimeout(run.sendTimer);
    run.sendTimer = undefined;
    run.sendSoon ??= setImmediate(send, run);
  }

  function onReply(run: HostRun, seq: number, reply: ProbeReply): void {
    const { statistics } = run;
    const duplicate = run.answered.has(seq);
    const outOfOrder = !duplicate && statistics.isOutOfOrder(seq);
    if (reply.wrongData !== undefined) statistics.wrongData();
    if (reply.badChecksum === true) statistics.corrupted();
    else if (duplicate) statistics.duplicate(reply.timeMs);
    else {
      run.answered.add(seq);
      settle(run, seq);
      statistics.reply(seq, reply.timeMs);
    }
    emit(toReplyEvent(run, seq, reply, { duplicate, outOfOrder, options }));
    if (reply.badChecksum === true) return;
    if (options.until === 'up') reach(run);
    else afterSettled(run);
  }

  function onError(run: HostRun, seq: number, error: ProbeError): void {
    const { host, address } = run.target;
    emit({ type: 'probe-error', host, address, seq, ...error, at: timestamp() });
    if (error.notice === true) return;
    run.statistics.error();
    settle(run, seq);
    if (options.until === 'down') reach(run);
    else afterSettled(run);
  }

  function settle(run: HostRun, seq: number): void {
    run.statistics.settled(run.lastSeq - seq + 1);
    run.pending.delete(seq);
  }

  function afterSettled(run: HostRun): void {
    const { count, deadlineMs } = options;
    if (count !== undefined) {
      const enough = deadlineMs === undefined ? isAllSent(run) && run.pending.size === 0 : undefined;
      if (enough ?? run.statistics.received >= count) {
        finish(run);
        return;
      }
    }
    armTimeout(run);
    if (intervalOf(run) === 0 || options.adaptive) scheduleSend(run);
  }

  function reach(run: HostRun): void {
    run.reached = true;
    finish(run);
  }

  /** iputils' rule: with a reply at hand, two of the longest round trips or an interval are enough to wait. */
  function timeoutOf({ statistics }: HostRun): number {
    if (options.timeoutMs !== undefined) return options.timeoutMs || Number.POSITIVE_INFINITY;
    return statistics.received > 0
      ? Math.max(2 * statistics.maxMs, options.intervalMs, SHORTEST_WAIT_MS)
      : firstReplyMs;
  }

  /** One timer per host, for its oldest probe. */
  function armTimeout(run: HostRun): void {
    const [oldest] = run.pending.values();
    if (run.finished || oldest === undefined) return;
    const dueAt = oldest + timeoutOf(run);
    if (run.timeoutTimer !== undefined && run.timeoutAt <= dueAt) return;
    clearTimeout(run.timeoutTimer);
    run.timeoutTimer = undefined;
    if (dueAt === Number.POSITIVE_INFINITY) return;
    run.timeoutAt = dueAt;
    run.timeoutTimer = setTimeout(expire, Math.max(1, Math.ceil(dueAt - performance.now())), run);
  }

  function expire(run: HostRun): void {
    run.timeoutTimer = undefined;
    // What this program has been too busy to read is not lost.
    backend?.collect?.();
    if (run.finished) return;
    const limit = performance.now() - timeoutOf(run);
    const { host, address } = run.target;
    for (const [seq, sentAt] of run.pending) {
      if (sentAt > limit) break;
      run.pending.delete(seq);
      run.timedOut.add(seq);
      emit({ type: 'timeout', host, address, seq, at: timestamp() });
      if (options.until === 'down') {
        reach(run);
        return;
      }
    }
    afterSettled(run);
  }

  function finish(run: HostRun): void {
    if (run.finished) return;
    run.finished = true;
    clearTimeout(run.sendTimer);
    clearTimeout(run.timeoutTimer);
    clearImmediate(run.sendSoon);
    unfinished--;
    if (unfinished === 0) resolveDone();
  }

  function summarize(run: HostRun, method: PingBackend['method']): SummaryEvent {
    const { host, address } = run.target;
    const reached = options.until === undefined ? {} : { reached: run.reached };
    const { sizeBytes } = options;
    return { type: 'summary', host, address, method, sizeBytes, ...run.statistics.summary(), ...reached };
  }
}
