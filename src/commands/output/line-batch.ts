/** How long a line may wait for others. */
const WAIT_MS = 50;

/** How much is gathered at most. */
const MAX_LENGTH = 65_536;

/** Lines gathered and written together, off the way of whoever says them. */
export class LineBatch {
  readonly #write: (text: string) => void;
  #text = '';
  #timer: NodeJS.Timeout | undefined;

  /** `write` gets whole lines, at most every 50 ms unless there is much to say. */
  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Adds a line, without its newline. */
  readonly add = (line: string): void => {
    this.#text += `${line}\n`;
    if (this.#text.length >= MAX_LENGTH) this.flush();
    else this.#timer ??= setTimeout(this.flush, WAIT_MS);
  };

  /** Writes what has been gathered. */
  readonly flush = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    this.#text = '';
    if (text !== '') this.#write(text);
  };
}
