import type { WorkerState } from './types.js';

/** A worker in its place. */
export interface Member<W> {
  readonly worker: W;
  readonly index: number;
  readonly generation: number;
  readonly limit: number;
  readonly startedAt: number;
  requests: number;
  state: WorkerState;
  /** It is ended before it was ready, because of another. */
  isGivenUp: boolean;
}

/** A place for one worker; whoever is in it is replaced when it dies. */
export interface Seat<W> {
  readonly index: number;
  member: Member<W> | undefined;
  /** Failures in a row. */
  failures: number;
  /** Changed when the seat is given to somebody else: restarts that are under way then give up. */
  epoch: number;
  replacing: boolean;
}

/** A place nobody has taken yet. */
export function emptySeat<W>(index: number): Seat<W> {
  return { index, member: undefined, failures: 0, epoch: 0, replacing: false };
}
