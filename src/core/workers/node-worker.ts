import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type ErrorCode, NettoolError } from '../errors.js';
import { type Child, describeExit, startChild, stopChild } from '../platform/child.js';
import { type Assignment, type FromWorker, type ToWorker, WORKER_VARIABLE } from './protocol.js';
import type { WorkerProcess } from './types.js';

/** A worker that does not answer is not waited for. */
const COLLECT_TIMEOUT_MS = 1000;
const TAKE_TIMEOUT_MS = 10_000;

/** How a worker that is a Node process is started. */
export interface NodeWorkerOptions {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly assignment: Assignment;
  readonly onLine: (line: string, stream: 'stdout' | 'stderr') => void;
  /** The worker wants the figures of all. */
  readonly onAsk: () => Promise<unknown>;
  /** How long idle connections may still bring a request when it is to drain. */
  readonly idleMs: () => number;
}

/** A worker that runs this program: it takes connections, and says what it has counted. */
export class NodeWorker implements WorkerProcess {
  readonly ready: Promise<void>;
  readonly exited: Promise<string>;
  /** What it has counted, as far as it has said so. */
  figures: unknown;
  /** Requests it has answered; known when it has drained. */
  requests = 0;
  readonly #options: NodeWorkerOptions;
  readonly #child: Child;
  readonly #ready = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #collecting = new Map<number, () => void>();
  #taken: ((isTaken: boolean, id?: number) => void) | undefined;
  #lastId = 0;

  constructor(options: NodeWorkerOptions) {
    this.#options = options;
    const [program, ...args] = options.command;
    this.#child = startChild(program, args, {
      cwd: options.cwd,
      env: { ...options.env, [WORKER_VARIABLE]: JSON.stringify(options.assignment) },
      ipc: true,
      onLine: options.onLine,
      onMessage: (message) => this.#receive(message as FromWorker),
    });
    this.ready = this.#ready.promise;
    // The master may have stopped waiting for it.
    this.ready.catch(() => {});
    this.exited = this.#child.exited.then((exit) => {
      this.#taken?.(false);
      this.#drained.resolve();
      for (const done of this.#collecting.values()) done();
      return describeExit(exit);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Hands a connection over; tells whether the worker was there for it. Our own end stays open. */
  take(socket: Socket, listener: number): Promise<boolean> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      // One that is stuck, or has no descriptor left for it, may yet take it: nobody else can have it then.
      const timer = setTimeout(() => this.#taken?.(true), TAKE_TIMEOUT_MS);
      this.#taken = (isTaken, which = id) => {
        if (which !== id) return;
        clearTimeout(timer);
        this.#taken = undefined;
        resolve(isTaken);
      };
      this.#send({ type: 'connection', id, listener }, socket);
    });
  }

  async collect(): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastId += 1;
    this.#collecting.set(this.#lastId, resolve);
    this.#send({ type: 'collect', id: this.#lastId });
    const timer = new AbortController();
    const late = delay(COLLECT_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([promise, late]);
    timer.abort();
    return this.figures;
  }

  /** Its files of log lines were moved away. */
  reopen(): void {
    this.#send({ type: 'reopen' });
  }

  drain(): Promise<void> {
    this.#send({ type: 'drain', idleMs: this.#options.idleMs() });
    return this.#drained.promise;
  }

  async stop(graceMs: number): Promise<void> {
    await stopChild(this.#child, { graceMs, ask: () => this.#send({ type: 'drain', idleMs: 0 }) });
  }

  #send(message: ToWorker, socket?: Socket): void {
    this.#child.send(message, socket, { keepOpen: true });
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#ready.resolve();
        break;
      case 'failed': {
        const { code, message: text, hint } = message.failure;
        this.#ready.reject(new NettoolError(code as ErrorCode, text, { hint }));
        break;
      }
      case 'taken':
        this.#taken?.(true, message.id);
        break;
      case 'figures':
        this.figures = message.figures;
        if (message.id !== undefined) this.#collecting.get(message.id)?.();
        this.#collecting.delete(message.id ?? 0);
        break;
      case 'ask':
        void this.#options.onAsk().then((figures) => this.#send({ type: 'answer', id: message.id, figures }));
        break;
      case 'drained':
        this.figures = message.figures;
        this.requests = message.requests;
        this.#drained.resolve();
        break;
    }
  }
}
