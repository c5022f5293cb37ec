import { createWorkerMaster } from './master.js';
import { NodeWorker, type NodeWorkerOptions } from './node-worker.js';
import type { WorkerEvent, WorkerMaster, WorkerPlace } from './types.js';

const BOOT_TIMEOUT_MS = 30_000;

/** How long a worker whose successor is there waits for one more request on connections that are idle. */
const IDLE_MS = 2000;

/** What a worker that crashes has counted since the last time is lost. */
const COLLECT_EVERY_MS = 5000;

/** How to make one of the figures of several workers. */
export interface FiguresRules<F> {
  /** Those of this process. */
  readonly own: () => F;
  readonly merge: (all: readonly F[]) => F;
  /** What stays of a worker that is gone. */
  readonly keep: (last: F) => F;
}

/** What a crew is made of. */
export interface CrewOptions<F> extends Pick<NodeWorkerOptions, 'command' | 'cwd' | 'env' | 'onLine'> {
  readonly count: number;
  /** What every worker is told. */
  readonly settings: unknown;
  /** How long a worker may take to finish what runs. */
  readonly graceMs: number;
  readonly onLive: (worker: NodeWorker) => void;
  readonly onGone: (worker: NodeWorker) => void;
  readonly onEvent: (event: WorkerEvent) => void;
  readonly figures: FiguresRules<F>;
}

/** Worker processes that run this program, those that retire included, and what all of them have counted. */
export class Crew<F> {
  /** Requests answered by workers that are gone. */
  requests = 0;
  readonly #options: CrewOptions<F>;
  readonly #master: WorkerMaster<NodeWorker>;
  readonly #alive = new Set<NodeWorker>();
  readonly #timer: NodeJS.Timeout;
  #past: F | undefined;
  #isStopping = false;

  constructor(options: CrewOptions<F>) {
    this.#options = options;
    const { count, graceMs, onLive, onGone, onEvent } = options;
    this.#master = createWorkerMaster<NodeWorker>({
      count,
      bootTimeoutMs: BOOT_TIMEOUT_MS,
      // A second more than the worker gives itself.
      graceMs: IDLE_MS + graceMs + 1000,
      start: (place) => this.#start(place),
      onLive,
      onGone,
      onEvent,
    });
    this.#timer = setInterval(() => void this.collect(), COLLECT_EVERY_MS).unref();
  }

  /** Resolves when all are ready; rejects with the reason of the first that cannot start. */
  start(): Promise<void> {
    return this.#master.start();
  }

  /** Replaces all; rejects with the reason when the new ones cannot start, and the old ones go on. */
  reload(): Promise<void> {
    return this.#master.reload();
  }

  /** One worker more or fewer. */
  resize(change: 1 | -1, reason: string): Promise<void> {
    return this.#master.resize(change, reason);
  }

  /** Has every worker open its log files anew. */
  reopen(): void {
    for (const worker of this.#alive) worker.reopen();
  }

  /** The figures of all, those of workers that are gone and our own included, made one. */
  async collect(): Promise<F> {
    const { own, merge } = this.#options.figures;
    const all = await Promise.all([...this.#alive].map((worker) => worker.collect()));
    const known = [own(), this.#past, ...all].filter((figures) => figures !== undefined && figures !== null);
    return merge(known as F[]);
  }

  /** Ends all: what they work on is finished within the grace period. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    // Those that retire need not wait any longer for idle connections.
    for (const worker of this.#alive) void worker.drain();
    await this.#master.stop();
  }

  #start(place: WorkerPlace): NodeWorker {
    const { command, cwd, env, onLine, settings } = this.#options;
    const worker = new NodeWorker({
      command,
      cwd,
      env,
      onLine,
      assignment: { ...place, settings },
      onAsk: () => this.collect(),
      idleMs: () => (this.#isStopping ? 0 : IDLE_MS),
    });
    this.#alive.add(worker);
    void worker.exited.then(() => this.#remember(worker));
    return worker;
  }

  #remember(worker: NodeWorker): void {
    const { merge, keep } = this.#options.figures;
    this.#alive.delete(worker);
    this.requests += worker.requests;
    if (worker.figures === undefined || worker.figures === null) return;
    const last = keep(worker.figures as F);
    this.#past = this.#past === undefined ? last : merge([this.#past, last]);
  }
}
