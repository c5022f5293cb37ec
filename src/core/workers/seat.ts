import type { Socket } from 'node:net';
import { toNettoolError } from '../errors.js';
import { findParent, type Parent } from '../platform/parent.js';
import { type Assignment, type FromWorker, type ToWorker, WORKER_VARIABLE } from './protocol.js';

/** What a worker runs: a server that can be stopped, at once or gently. */
export interface Work {
  readonly requests: number;
  readonly closed: Promise<void>;
  close(): Promise<void>;
  retire(idleMs: number): Promise<void>;
}

/** What a worker can do beside its work. */
export interface SeatHooks {
  /** Opens its log files anew. */
  readonly reopen?: () => void;
  /** What it has counted: plain data. */
  readonly figures?: () => unknown;
}

type Accept = (socket: Socket) => void;

/** The worker's side of the talk between master and worker: its place, its connections, its end. */
export class WorkerSeat {
  readonly assignment: Assignment;
  readonly #parent: Parent;
  readonly #accepts = new Map<number, Accept>();
  /** The master is gone. */
  #isAlone = false;
  #lastId = 0;
  readonly #asked = new Map<number, (figures: unknown) => void>();
  #hooks: SeatHooks = {};
  #work: Work | undefined;
  /** How it is to end, once that is known. */
  #end: 'gently' | 'now' | undefined;

  constructor(parent: Parent, assignment: Assignment) {
    this.#parent = parent;
    this.assignment = assignment;
    parent.listen((message, socket) => this.#receive(message as ToWorker, socket));
    void parent.gone.then(() => {
      this.#isAlone = true;
      for (const resolve of this.#asked.values()) resolve(undefined);
      this.#leave(0);
    });
  }

  /** The connections of one of the master's listeners, until the function that comes back is called. */
  connections(listener: number, accept: Accept): () => void {
    this.#accepts.set(listener, accept);
    // Those that were handed over before the end was known are still taken.
    return () => {};
  }

  /** The figures of all workers as the master has put them together; undefined when it is gone. */
  collect(): Promise<unknown> {
    if (this.#isAlone) return Promise.resolve(undefined);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#lastId += 1;
    this.#asked.set(this.#lastId, resolve);
    this.#send({ type: 'ask', id: this.#lastId });
    return promise;
  }

  /**
   * Does the work until the master wants an end of it, or is gone; tells the master why when it cannot be begun, and
   * us whether it could.
   */
  async run(begin: () => Promise<Work>, hooks: SeatHooks = {}): Promise<boolean> {
    this.#hooks = hooks;
    try {
      this.#work = await begin();
    } catch (error) {
      const { code, message, hint } = toNettoolError(error);
      this.#send({ type: 'failed', failure: { code, message, hint } });
      return false;
    }
    this.#send({ type: 'ready' });
    if (this.#end !== undefined) void this.#work.close();
    await this.#work.closed;
    this.#send({ type: 'drained', requests: this.#work.requests, figures: hooks.figures?.() });
    return true;
  }

  /** Ends the talk, so that the process can end. */
  leave(): void {
    this.#parent.leave();
  }

  #send(message: FromWorker): void {
    this.#parent.send(message);
  }

  #receive(message: ToWorker, socket: Socket | undefined): void {
    switch (message.type) {
      case 'connection':
        this.#send({ type: 'taken', id: message.id });
        if (socket !== undefined) this.#accept(socket, message.listener);
        break;
      case 'drain':
        this.#leave(message.idleMs);
        break;
      case 'reopen':
        this.#hooks.reopen?.();
        break;
      case 'collect':
        this.#send({ type: 'figures', id: message.id, figures: this.#hooks.figures?.() });
        break;
      case 'answer':
        this.#asked.get(message.id)?.(message.figures);
        this.#asked.delete(message.id);
        break;
    }
  }

  #accept(socket: Socket, listener: number): void {
    // What a server's own sockets are like; this one was made by the channel between the processes.
    socket.allowHalfOpen = true;
    this.#accepts.get(listener)?.(socket);
  }

  #leave(idleMs: number): void {
    // A second close would cut what still runs: whoever wants that kills the process.
    if (this.#end === 'now') return;
    this.#end = idleMs > 0 ? 'gently' : 'now';
    if (idleMs > 0) void this.#work?.retire(idleMs);
    else void this.#work?.close();
  }
}

/** The seat of this process, when it was started as a worker. */
export function findSeat(env: Readonly<Record<string, string | undefined>>): WorkerSeat | undefined {
  const text = env[WORKER_VARIABLE];
  const parent = text === undefined ? undefined : findParent();
  if (text === undefined || parent === undefined) return undefined;
  return new WorkerSeat(parent, JSON.parse(text) as Assignment);
}
