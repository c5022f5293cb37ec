import { setTimeout as delay } from 'node:timers/promises';
import { NettoolError, toNettoolError } from '../errors.js';
import { type BackOff, DEFAULT_BACK_OFF, pauseAfter } from './back-off.js';
import { emptySeat, type Member, type Seat } from './member.js';
import type { MasterOptions, WorkerMaster, WorkerProcess, WorkerState } from './types.js';

/** A worker that came up and died makes no longer pause than so many failures. */
const MAX_DEATHS = 4;

/** After so many failures in a row nobody should wait for a worker any more. */
const FAILING_AFTER = 3;

/** Makes a master: it starts, watches, restarts, replaces and ends worker processes, and knows nothing of their work. */
export function createWorkerMaster<W extends WorkerProcess>(options: MasterOptions<W>): WorkerMaster<W> {
  return new Master(options);
}

class Master<W extends WorkerProcess> implements WorkerMaster<W> {
  readonly #options: MasterOptions<W>;
  readonly #backOff: BackOff;
  readonly #seats: Seat<W>[];
  readonly #members = new Map<W, Member<W>>();
  readonly #stopping = new AbortController();
  /** Every worker that is not yet gone, also those that retire. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #booting = new Set<W>();
  #generation = 1;
  #isStarted = false;
  #reload: Promise<void> | undefined;
  #nextReload: Promise<void> | undefined;

  constructor(options: MasterOptions<W>) {
    this.#options = options;
    this.#backOff = { ...DEFAULT_BACK_OFF, ...options.backOff };
    this.#seats = Array.from({ length: options.count }, (_, index) => emptySeat(index));
  }

  get failing(): boolean {
    return this.#seats.every(({ failures, member }) => member === undefined && failures >= FAILING_AFTER);
  }

  async start(): Promise<void> {
    const members = await this.#bootAll(this.#generation);
    for (const member of members) this.#seat(member);
    this.#isStarted = true;
  }

  reload(): Promise<void> {
    // One at a time; whoever asks while one runs gets the next, which sees the newest code.
    if (this.#reload === undefined) {
      this.#reload = this.#switchGeneration().finally(() => {
        this.#reload = undefined;
      });
      return this.#reload;
    }
    this.#nextReload ??= this.#reload
      .catch(() => {})
      .then(() => {
        this.#nextReload = undefined;
        return this.reload();
      });
    return this.#nextReload;
  }

  async resize(change: 1 | -1, reason: string): Promise<void> {
    // A reload brings one worker for each of the seats there were when it began.
    while (this.#reload !== undefined) await this.#reload.catch(() => {});
    if (!this.#isStarted || this.#stopping.signal.aborted) return;
    if (change === 1) {
      const seat = emptySeat<W>(this.#seats.length);
      this.#seats.push(seat);
      await this.#restart(seat, reason);
    } else if (this.#seats.slice(0, -1).some(({ member }) => member !== undefined)) {
      const seat = this.#seats.pop() as Seat<W>;
      if (seat.member !== undefined) this.#retire(seat.member, reason, this.#options.graceMs);
      seat.member = undefined;
    }
  }

  count(worker: W, requests: number): void {
    const member = this.#members.get(worker);
    if (member === undefined) return;
    member.requests += requests;
    if (member.requests >= member.limit) void this.#recycle(member);
  }

  discard(worker: W, reason: string, graceMs: number): void {
    const member = this.#members.get(worker);
    if (member?.state !== 'ready') return;
    const seat = this.#seats[member.index] as Seat<W>;
    this.#retire(member, reason, graceMs);
    seat.member = undefined;
    if (!seat.replacing) void this.#restart(seat);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const seat of this.#seats) {
      seat.epoch++;
      if (seat.member !== undefined) this.#retire(seat.member, 'the server stops', this.#options.graceMs);
      seat.member = undefined;
    }
    await Promise.all([...this.#booting].map((worker) => worker.stop(0)));
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
  }

  async #switchGeneration(): Promise<void> {
    const members = await this.#bootAll(this.#generation + 1);
    if (this.#stopping.signal.aborted) {
      for (const member of members) this.#retire(member, 'the server stops', 0);
      return;
    }
    this.#generation++;
    for (const member of members) {
      const seat = this.#seats[member.index] as Seat<W>;
      const old = seat.member;
      this.#seat(member);
      if (old !== undefined) this.#retire(old, 'newer code has taken over', this.#options.graceMs);
    }
  }

  /** A worker for every seat, all ready; or none, and the reason of the first that failed. */
  async #bootAll(generation: number): Promise<Member<W>[]> {
    const boots = this.#seats.map(({ index }) => this.#boot(index, generation));
    let failure: { readonly reason: unknown } | undefined;
    const giveUp = (reason: unknown): void => {
      if (failure !== undefined) return;
      failure = { reason };
      for (const { member } of boots) {
        member.isGivenUp = true;
        void member.worker.stop(0);
      }
    };
    await Promise.all(boots.map(({ booted }) => booted.catch(giveUp)));
    if (failure === undefined) return boots.map(({ member }) => member);
    await Promise.all(boots.map(({ member }) => member.worker.stop(0)));
    throw failure.reason;
  }

  /** Starts a process; `booted` settles with whether it came up. */
  #boot(index: number, generation: number, reason?: string): { member: Member<W>; booted: Promise<void> } {
    const { start, maxRequests } = this.#options;
    const limit =
      maxRequests === undefined ? Infinity : maxRequests - Math.floor((Math.random() * maxRequests) / 10);
    const worker = start({ index, generation });
    const startedAt = performance.now();
    const progress = { requests: 0, state: 'starting' as const, isGivenUp: false };
    const member: Member<W> = { worker, index, generation, limit, startedAt, ...progress };
    this.#tell(member, 'starting', reason);
    return { member, booted: this.#awaitReady(member) };
  }

  async #awaitReady(member: Member<W>): Promise<void> {
    const { worker } = member;
    const timer = new AbortController();
    const { bootTimeoutMs } = this.#options;
    this.#booting.add(worker);
    try {
      await Promise.race([
        worker.ready,
        worker.exited.then((reason) => {
          throw new NettoolError('INTERNAL', `the worker ended before it was ready (${reason})`);
        }),
        delay(bootTimeoutMs, undefined, { signal: timer.signal }).then(() => {
          throw new NettoolError('TIMEOUT', `the worker was not ready within ${bootTimeoutMs / 1000} s`);
        }),
      ]);
    } catch (error) {
      const reason = toNettoolError(error);
      if (member.isGivenUp) this.#tell(member, 'stopped', 'another worker did not start');
      else if (this.#stopping.signal.aborted) this.#tell(member, 'stopped', 'the server stops');
      else this.#tell(member, 'failed', reason.message);
      if (reason.code === 'TIMEOUT') await worker.explain?.();
      await worker.stop(0);
      throw reason;
    } finally {
      timer.abort();
      this.#booting.delete(worker);
    }
  }

  /** Gives a worker that is ready its seat, and work. */
  #seat(member: Member<W>): void {
    const seat = this.#seats[member.index] as Seat<W>;
    seat.epoch++;
    seat.member = member;
    this.#members.set(member.worker, member);
    this.#tell(member, 'ready');
    this.#options.onLive(member.worker);
    void member.worker.exited.then((reason) => this.#bury(member, reason));
  }

  /** A worker is gone that nobody has asked to go. */
  #bury(member: Member<W>, reason: string): void {
    if (member.state !== 'ready') return;
    this.#members.delete(member.worker);
    this.#tell(member, 'died', reason);
    this.#options.onGone(member.worker);
    const seat = this.#seats[member.index] as Seat<W>;
    if (seat.member !== member) return;
    seat.member = undefined;
    const lived = performance.now() - member.startedAt;
    const wasOfUse = lived >= this.#backOff.stableMs || member.requests > 0;
    // It can start at least: one crashing request must not keep all others waiting for long.
    seat.failures = wasOfUse ? 0 : Math.min(seat.failures + 1, MAX_DEATHS);
    void this.#restart(seat);
  }

  /** Tries until the seat is taken; each failure doubles the pause. */
  async #restart(seat: Seat<W>, reason?: string): Promise<void> {
    const epoch = ++seat.epoch;
    const isOurs = (): boolean => seat.epoch === epoch && this.#isOpen(seat);
    while (isOurs()) {
      await pauseAfter(seat.failures, this.#backOff, this.#stopping.signal);
      if (!isOurs()) return;
      const { member, booted } = this.#boot(seat.index, this.#generation, reason);
      try {
        await booted;
      } catch {
        seat.failures++;
        continue;
      }
      if (isOurs()) this.#seat(member);
      else this.#retire(member, 'its place is taken', 0);
      return;
    }
  }

  /** Whether somebody is to work there. */
  #isOpen(seat: Seat<W>): boolean {
    return this.#seats[seat.index] === seat && !this.#stopping.signal.aborted;
  }

  /** A successor first, then the old one goes: no moment without a worker. */
  async #recycle(member: Member<W>): Promise<void> {
    const seat = this.#seats[member.index] as Seat<W>;
    if (seat.replacing || seat.member !== member || !this.#isOpen(seat)) return;
    seat.replacing = true;
    const { member: successor, booted } = this.#boot(seat.index, member.generation);
    try {
      await booted;
      const hasLeft = seat.member === undefined;
      if (this.#isOpen(seat) && (hasLeft || seat.member === member)) {
        this.#seat(successor);
        if (!hasLeft)
          this.#retire(member, `it has answered ${member.requests} requests`, this.#options.graceMs);
      } else {
        this.#retire(successor, 'its place is taken', 0);
      }
    } catch {
      // The old one serves on and is tried again after as many requests.
      member.requests = 0;
      if (seat.member === undefined) void this.#restart(seat);
    } finally {
      seat.replacing = false;
    }
  }

  /** No new work; what runs is finished within the grace period, then the process ends. */
  #retire(member: Member<W>, reason: string, graceMs: number): void {
    const { worker } = member;
    const wasLive = this.#members.delete(worker);
    this.#tell(member, 'retiring', reason);
    if (wasLive) this.#options.onGone(worker);
    const leaving = this.#leave(member, graceMs).finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  async #leave(member: Member<W>, graceMs: number): Promise<void> {
    const { worker } = member;
    const timer = new AbortController();
    const deadline = performance.now() + graceMs;
    await Promise.race([
      worker.drain(),
      worker.exited,
      delay(graceMs, undefined, { signal: timer.signal }).catch(() => {}),
    ]);
    timer.abort();
    await worker.stop(graceMs === 0 ? 0 : Math.max(1000, deadline - performance.now()));
    this.#tell(member, 'stopped');
  }

  #tell(member: Member<W>, state: WorkerState, reason?: string): void {
    member.state = state;
    const { worker, index, generation } = member;
    const pid = worker.pid ?? null;
    this.#options.onEvent({
      type: 'worker',
      pid,
      index,
      generation,
      state,
      ...(reason !== undefined && { reason }),
    });
  }
}
