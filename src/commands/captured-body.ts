/** A larger body is left out of a report. */
export const CAPTURE_LIMIT_BYTES = 4 * 2 ** 20;

/** Keeps a copy of a body that passes, as long as it is small enough for a report. */
export class CapturedBody {
  #pieces: Buffer[] | undefined = [];
  #sizeBytes = 0;

  /** How many bytes have passed. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** What has passed; `undefined` when that is too much. */
  get bytes(): Buffer | undefined {
    return this.#pieces && Buffer.concat(this.#pieces);
  }

  /** Takes the next bytes, which are only lent. */
  readonly take = (bytes: Buffer): void => {
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes > CAPTURE_LIMIT_BYTES) this.#pieces = undefined;
    this.#pieces?.push(Buffer.from(bytes));
  };
}
