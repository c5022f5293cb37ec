import { GatewayError } from '../http/gateway-error.js';

/** Lets a limited number through at a time. */
export interface Turnstile {
  /** Resolves with the function that gives the place back, in the order of asking. */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** How many may be inside, and how many may wait how long; more is a 503. */
export interface TurnstileOptions {
  readonly places: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

interface Waiting {
  readonly admit: () => void;
}

/** Makes a turnstile. */
export function createTurnstile({ places, maxWaiting, maxWaitMs }: TurnstileOptions): Turnstile {
  let inside = 0;
  const queue: Waiting[] = [];
  const leave = (): (() => void) => {
    let isGone = false;
    return () => {
      if (isGone) return;
      isGone = true;
      inside -= 1;
      queue.shift()?.admit();
    };
  };
  return {
    enter(signal) {
      if (inside < places) {
        inside += 1;
        return Promise.resolve(leave());
      }
      if (queue.length >= maxWaiting) return Promise.reject(new GatewayError(503, 'too many requests wait'));
      return new Promise((resolve, reject) => {
        const settle = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
        };
        const waiting: Waiting = {
          admit() {
            settle();
            inside += 1;
            resolve(leave());
          },
        };
        const giveUp = (reason: unknown): void => {
          settle();
          queue.splice(queue.indexOf(waiting), 1);
          reject(reason);
        };
        const onAbort = (): void => giveUp(signal.reason);
        const timer = setTimeout(
          () => giveUp(new GatewayError(503, `no place became free in ${maxWaitMs} ms`)),
          maxWaitMs,
        );
        signal.addEventListener('abort', onAbort, { once: true });
        queue.push(waiting);
      });
    },
  };
}
