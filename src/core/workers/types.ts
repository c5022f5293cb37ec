import type { BackOff } from './back-off.js';

/** A process that works for us, whatever its language. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Resolves when it can take work; rejects with the reason when it cannot. */
  readonly ready: Promise<void>;
  /** Resolves with how it ended, in words, when it is gone. */
  readonly exited: Promise<string>;
  /** Tells the log what it is at, before it is ended for taking too long. */
  explain?(): Promise<void>;
  /** Resolves when it has finished what it was given; it gets nothing new meanwhile. */
  drain(): Promise<void>;
  /** Ends it: asks, and after `graceMs` kills it with everything it has started. */
  stop(graceMs: number): Promise<void>;
}

/** Where a worker stands: its place among its fellows, and which load of the code it runs. */
export interface WorkerPlace {
  readonly index: number;
  readonly generation: number;
}

/** What became of a worker. */
export type WorkerState =
  | 'starting'
  | 'ready'
  /** It could not start. */
  | 'failed'
  /** It ended without being asked to. */
  | 'died'
  /** It gets no new work and is to end. */
  | 'retiring'
  | 'stopped';

/** What a master says about its workers. */
export interface WorkerEvent {
  readonly type: 'worker';
  readonly pid: number | null;
  readonly index: number;
  readonly generation: number;
  readonly state: WorkerState;
  /** Why, where that is not plain. */
  readonly reason?: string;
}

/** How a master is to run its workers. */
export interface MasterOptions<W extends WorkerProcess> {
  readonly count: number;
  /** Starts the process for a place; called again for every restart. */
  readonly start: (place: WorkerPlace) => W;
  readonly bootTimeoutMs: number;
  /** How long a worker may finish its work when it is to end. */
  readonly graceMs: number;
  /** A worker is replaced after about so many requests (up to a tenth fewer, so that not all go at once). */
  readonly maxRequests?: number;
  /** The worker takes work from now on. */
  readonly onLive: (worker: W) => void;
  /** The worker takes no more work: it retires, or it is dead. */
  readonly onGone: (worker: W) => void;
  readonly onEvent: (event: WorkerEvent) => void;
  readonly backOff?: Partial<BackOff>;
}

/** Keeps a number of workers alive. */
export interface WorkerMaster<W extends WorkerProcess> {
  /** Starts all; when one cannot start, ends the others and rejects with its reason. */
  start(): Promise<void>;
  /**
   * Starts a new generation and switches when all of it is ready. Rejects with the reason, the old generation serving
   * on, when one of it cannot start.
   */
  reload(): Promise<void>;
  /** One worker more, or one fewer once it has finished what it works on; one that serves stays. Waits for a reload that runs. */
  resize(change: 1 | -1, reason: string): Promise<void>;
  /** Counts requests a worker has answered, and replaces it at its limit. */
  count(worker: W, requests: number): void;
  /** Replaces a worker that is stuck: what else it works on may take `graceMs`, then it is killed. */
  discard(worker: W, reason: string, graceMs: number): void;
  /** Ends all workers: what they work on is finished within the grace period. */
  stop(): Promise<void>;
  /** Whether workers keep failing, so that waiting for one makes no sense. */
  readonly failing: boolean;
}
