/** Keeps a transfer at so many bytes a second on average. */
export class RateLimit {
  readonly bytesPerSecond: number;
  #startedAt = 0;
  #bytes = 0;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** How large one piece may be, so that the rate is even and not only right in the end. */
  get pieceBytes(): number {
    return Math.max(1024, Math.min(256 * 1024, Math.floor(this.bytesPerSecond / 8)));
  }

  /** How long to wait after so many more bytes have passed. */
  delayMs(bytes: number): number {
    const now = performance.now();
    // Time in which nothing could be sent is not made up for.
    if (this.#bytes === 0) this.#startedAt = now;
    this.#bytes += bytes;
    return Math.max(0, (this.#bytes / this.bytesPerSecond) * 1000 - (now - this.#startedAt));
  }
}
