/** What a master tells a worker that is a Node process; with `connection` comes its socket. */
export type ToWorker =
  | { readonly type: 'connection'; readonly id: number; readonly listener: number }
  /** Finish what runs; an idle connection may bring one more request within `idleMs`. */
  | { readonly type: 'drain'; readonly idleMs: number }
  | { readonly type: 'reopen' }
  | { readonly type: 'collect'; readonly id: number }
  | { readonly type: 'answer'; readonly id: number; readonly figures: unknown };

/** What a worker tells its master. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly failure: WorkerFailure }
  /** The connection has arrived: it is the worker's now. */
  | { readonly type: 'taken'; readonly id: number }
  /** What it has counted; with an `id` the answer to `collect`. */
  | { readonly type: 'figures'; readonly id?: number; readonly figures: unknown }
  /** Wants the figures of all. */
  | { readonly type: 'ask'; readonly id: number }
  | { readonly type: 'drained'; readonly requests: number; readonly figures: unknown };

/** Why a worker could not start, as it travels between processes. */
export interface WorkerFailure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Which worker a process is, told by its environment. */
export interface Assignment {
  readonly index: number;
  readonly generation: number;
  /** What the master has decided for all of its workers. */
  readonly settings: unknown;
}

/** The environment variable that makes a process a worker. */
export const WORKER_VARIABLE = 'NETTOOL_WORKER';
