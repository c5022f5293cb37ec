import { type Child, describeExit, startChild, stopChild } from '../platform/child.js';
import type { ToParent, ToWorker } from './node-messages.js';
import type { WorkerProcess } from './types.js';

/** How to start a Node process as a worker: nettool itself, or its sources with Node. */
export interface NodeWorkerRecipe {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly onLine: (line: string, stream: 'stdout' | 'stderr') => void;
  /** The worker has answered so many more requests. */
  readonly onServed?: (count: number) => void;
  /** What else the worker says, such as events of its server. */
  readonly onMessage?: (message: unknown) => void;
}

/** A Node process that works for us; its side of the talk is {@link joinParent}. */
export class NodeWorker implements WorkerProcess {
  readonly ready: Promise<void>;
  readonly exited: Promise<string>;
  readonly #child: Child;
  readonly #ready = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();

  constructor(recipe: NodeWorkerRecipe) {
    const { command, args, env, onLine } = recipe;
    this.ready = this.#ready.promise;
    // Whoever starts it awaits this; it may also be ended before anybody does.
    this.ready.catch(() => {});
    this.#child = startChild(command, args, {
      env,
      ipc: true,
      onLine,
      onMessage: (message) => this.#onMessage(message as ToParent, recipe),
    });
    this.exited = this.#child.exited.then(describeExit);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  drain(): Promise<void> {
    this.#send({ type: 'drain' });
    return this.#drained.promise;
  }

  async stop(graceMs: number): Promise<void> {
    await stopChild(this.#child, { graceMs });
  }

  /** Tells the worker something of its own. */
  send(content: unknown): void {
    this.#send({ type: 'message', content });
  }

  #send(message: ToWorker): void {
    this.#child.send(message as never);
  }

  #onMessage(message: ToParent, recipe: NodeWorkerRecipe): void {
    if (message.type === 'ready') this.#ready.resolve();
    else if (message.type === 'failed') this.#ready.reject(new Error(message.reason));
    else if (message.type === 'drained') this.#drained.resolve();
    else if (message.type === 'served') recipe.onServed?.(message.count);
    else recipe.onMessage?.(message.content);
  }
}
