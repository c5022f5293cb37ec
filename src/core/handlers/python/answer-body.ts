import { Readable } from 'node:stream';

/** Credit goes back in portions of at least this. */
const CREDIT_STEP = 65_536;

/** Whom a body tells what becomes of it. */
export interface AnswerBodyOwner {
  /** So many bytes have gone to the client: as many more may come. */
  onTaken(bytes: number): void;
  /** Nobody reads it any more, before its end. */
  onDropped(): void;
}

/** The content of an answer as it comes from a worker; holds at most what the worker has credit for. */
export class AnswerBody extends Readable {
  readonly #owner: AnswerBodyOwner;
  #parts: Buffer[] = [];
  #isWanted = false;
  #isEnded = false;
  #taken = 0;

  constructor(owner: AnswerBodyOwner) {
    // Nothing is to be let go of at its end, and trailers may still be waited for then.
    super({ highWaterMark: 65_536, autoDestroy: false });
    this.#owner = owner;
    // Whoever sends it sees the failure; with nobody listening it must not end the program.
    this.on('error', () => {});
  }

  /** A part has come. */
  add(part: Buffer): void {
    if (this.destroyed) return;
    this.#parts.push(part);
    if (this.#isWanted) this._read();
  }

  /** There is no more to come. */
  finish(): void {
    this.#isEnded = true;
    if (this.#isWanted || this.#parts.length === 0) this._read();
  }

  override _read(): void {
    this.#isWanted = true;
    while (this.#parts.length > 0 && this.#isWanted) {
      const part = this.#parts.shift() as Buffer;
      this.#isWanted = this.push(part);
      this.#taken += part.length;
    }
    if (this.#parts.length === 0 && this.#isEnded && !this.readableEnded) {
      this.#isEnded = false;
      this.push(null);
    } else if (this.#taken >= CREDIT_STEP) {
      this.#owner.onTaken(this.#taken);
      this.#taken = 0;
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#parts = [];
    if (!this.readableEnded) this.#owner.onDropped();
    done(error);
  }
}
