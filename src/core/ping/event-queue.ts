/** Joins those who push events when they happen to the one who iterates over them. */
export interface EventQueue<E> extends AsyncIterable<E> {
  push(event: E): void;
  /** No more events: the iteration ends after those already pushed. */
  end(): void;
}

/** An empty {@link EventQueue}. */
export function createEventQueue<E>(): EventQueue<E> {
  let waiting: E[] = [];
  let ended = false;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  return {
    push(event) {
      waiting.push(event);
      notify();
    },
    end() {
      ended = true;
      notify();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const events = waiting;
        waiting = [];
        yield* events;
        if (waiting.length > 0) continue;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
