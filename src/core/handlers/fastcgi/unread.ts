/** What one answer may keep in any case, and is read by. */
const LEAST_BYTES = 256 * 1024;
/** What one answer may keep as long as all of them together do not keep too much. */
const MOST_BYTES = 8 * 1024 * 1024;
const TOGETHER_BYTES = 64 * 1024 * 1024;

let keptTogether = 0;

/**
 * What an application has said and its client has not read yet. A slow client must not hold the application up: a child
 * of php-fpm is free for others as soon as its answer is here.
 */
export class Unread {
  #pieces: Buffer[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Whether the application has to wait for the client. */
  get isFull(): boolean {
    return this.#bytes > LEAST_BYTES && (this.#bytes > MOST_BYTES || keptTogether > TOGETHER_BYTES);
  }

  /** Keeps a copy of bytes that are only lent. */
  add(bytes: Buffer): void {
    this.#pieces.push(Buffer.from(bytes));
    this.#count(bytes.byteLength);
  }

  /** All of it, which stays. */
  look(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] ?? Buffer.alloc(0);
  }

  /** The next bytes, not too many at once. */
  take(): Buffer {
    let bytes = 0;
    let count = 0;
    while (count < this.#pieces.length && bytes < LEAST_BYTES) {
      bytes += (this.#pieces[count] as Buffer).byteLength;
      count += 1;
    }
    this.#count(-bytes);
    const taken = this.#pieces.splice(0, count);
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken);
  }

  /** Nobody wants it, or it has been looked at. */
  clear(): void {
    this.#pieces = [];
    this.#count(-this.#bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    keptTogether += bytes;
  }
}
