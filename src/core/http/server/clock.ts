import { REASONS } from './status.js';

/** Something that is to happen at a time, unless that time is moved. */
export interface Timed {
  /** In the clock's milliseconds; Infinity for never. */
  deadline: number;
  onDeadline(): void;
}

/**
 * One coarse interval for every connection of a server: setting a time-out is storing a number, and nobody asks
 * the system for the time or formats a date per request. It stands still while nothing is watched.
 */
export class Clock {
  /** Milliseconds, as of the last tick. */
  now = performance.now();
  readonly #tickMs: number;
  readonly #watched = new Set<Timed>();
  readonly #heads = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #second = 0;
  #date = '';

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
    this.#tick();
  }

  /** When something that starts now and may last so long is over. */
  after(ms: number): number {
    return this.now + ms + this.#tickMs;
  }

  watch(timed: Timed): void {
    this.#watched.add(timed);
    if (this.#timer !== undefined) {
      if (this.#watched.size === 1) this.#timer.ref();
      return;
    }
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
  }

  unwatch(timed: Timed): void {
    this.#watched.delete(timed);
    // It stops at its next tick: by then somebody else may be watched.
    if (this.#watched.size === 0) this.#timer?.unref();
  }

  /** The present as an HTTP date (RFC 9110, section 5.6.7). */
  get date(): string {
    return this.#date;
  }

  /** The status line, and the date after it unless the answer brings its own. */
  head(status: number): string {
    let head = this.#heads.get(status);
    if (head === undefined) {
      head = `${statusLine(status)}Date: ${this.#date}\r\n`;
      this.#heads.set(status, head);
    }
    return head;
  }

  #tick(): void {
    this.now = performance.now();
    const time = Date.now();
    if (Math.floor(time / 1000) !== this.#second) {
      this.#second = Math.floor(time / 1000);
      this.#date = new Date(time).toUTCString();
      this.#heads.clear();
    }
    for (const timed of this.#watched) {
      if (timed.deadline > this.now) continue;
      timed.deadline = Number.POSITIVE_INFINITY;
      timed.onDeadline();
    }
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** The first line of an answer. */
export function statusLine(status: number, reason: string = REASONS[status] ?? ''): string {
  return `HTTP/1.1 ${status} ${reason}\r\n`;
}
