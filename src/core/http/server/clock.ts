import { HELD_UP_MS } from '../../platform/held-up.js';
import { REASONS } from './status.js';

/** Something that is to happen at a time, unless that time is moved. */
export interface Timed {
  /** In the clock's milliseconds; Infinity for never. */
  deadline: number;
  onDeadline(): void;
  /** The clock's own: where it has it. */
  slot?: number | undefined;
}

/**
 * One coarse interval for every connection of a server: setting a time-out is storing a number, and nobody asks
 * the system for the time or formats a date per request. It stands still while nothing is watched. Its time does not
 * pass while the whole process is held up: what peers have sent meanwhile was not read yet.
 */
export class Clock {
  /** Milliseconds, as of the last tick. */
  now = performance.now();
  readonly #tickMs: number;
  #heldUpMs = 0;
  /** No Set: those leave tables behind that keep each other, and what was in them, from being collected young. */
  readonly #watched: Timed[] = [];
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
    // While it stands still nobody keeps the time: a deadline from its last tick might be over before it begins.
    if (this.#timer === undefined) this.now = this.#read();
    return this.now + ms + this.#tickMs;
  }

  watch(timed: Timed): void {
    timed.slot ??= this.#watched.push(timed) - 1;
    if (this.#timer !== undefined) {
      if (this.#watched.length === 1) this.#timer.ref();
      return;
    }
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
  }

  unwatch(timed: Timed): void {
    const { slot } = timed;
    if (slot === undefined) return;
    timed.slot = undefined;
    const last = this.#watched.pop() as Timed;
    if (last !== timed) {
      this.#watched[slot] = last;
      last.slot = slot;
    }
    // It stops at its next tick: by then somebody else may be watched.
    if (this.#watched.length === 0) this.#timer?.unref();
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

  /** The time by the system, without that in which the process was held up. */
  #read(): number {
    return performance.now() - this.#heldUpMs;
  }

  #tick(): void {
    const lateMs = this.#timer === undefined ? 0 : this.#read() - this.now - this.#tickMs;
    if (lateMs > HELD_UP_MS) this.#heldUpMs += lateMs;
    this.now = this.#read();
    const time = Date.now();
    if (Math.floor(time / 1000) !== this.#second) {
      this.#second = Math.floor(time / 1000);
      this.#date = new Date(time).toUTCString();
      this.#heads.clear();
    }
    // From the end, as the last one takes the place of one that goes.
    for (let slot = this.#watched.length - 1; slot >= 0; slot -= 1) {
      const timed = this.#watched[slot];
      if (timed === undefined || timed.deadline > this.now) continue;
      timed.deadline = Number.POSITIVE_INFINITY;
      timed.onDeadline();
    }
    if (this.#watched.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** The first line of an answer. */
export function statusLine(status: number, reason: string = REASONS[status] ?? ''): string {
  return `HTTP/1.1 ${status} ${reason}\r\n`;
}
