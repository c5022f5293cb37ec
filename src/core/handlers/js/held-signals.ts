/** The signals that ask a process to end. */
const ENDINGS = ['SIGTERM', 'SIGINT'] as const;

/** Time for what ends beside the application: its listeners tend to end the process. */
const LAST_WORDS_MS = 100;

type Listener = (signal: NodeJS.Signals) => unknown;

/**
 * Takes the listeners for the end of the process that an application sets up (Next.js, Nitro, NestJS, Apollo and many by
 * hand): called at the signal, they would end the process with all its requests.
 */
export class HeldSignals {
  readonly #known = new Map(ENDINGS.map((name) => [name, new Set(process.rawListeners(name))]));
  readonly #held = new Map<Listener, NodeJS.Signals>();

  constructor() {
    process.on('newListener', this.#watch);
  }

  /** What is set up from now on is not the application's. */
  release(): void {
    process.off('newListener', this.#watch);
  }

  readonly #watch = (event: string | symbol): void => {
    // It is not there yet.
    if (ENDINGS.some((name) => name === event)) queueMicrotask(() => this.#take());
  };

  #take(): void {
    for (const [name, known] of this.#known) {
      for (const listener of process.rawListeners(name)) {
        if (known.has(listener)) continue;
        process.off(name, listener as Listener);
        // One for both signals is called once; what was set up by `once` has the listener in it.
        const own = ((listener as { listener?: unknown }).listener ?? listener) as Listener;
        if (!this.#held.has(own)) this.#held.set(own, name);
      }
    }
  }

  /** Calls them: the application has answered its last request. */
  call(logError: (error: unknown) => void): void {
    if (this.#held.size === 0) return;
    setTimeout(() => {
      for (const [listener, name] of this.#held) {
        Promise.try(listener, name).catch(logError);
      }
      this.#held.clear();
    }, LAST_WORDS_MS);
  }
}
