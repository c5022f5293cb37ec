import { StringDecoder } from 'node:string_decoder';

/** How much of what came last a match may span. */
const WINDOW_CHARS = 64 * 1024;

/** Looks for a pattern in a stream of bytes, read as UTF-8, wherever its pieces are cut. */
export interface Expectation {
  look(bytes: Buffer): void;
  /** Resolves at the first match. */
  readonly matched: Promise<void>;
  readonly isMatched: boolean;
}

/** An {@link Expectation} of a pattern. */
export function createExpectation(pattern: RegExp): Expectation {
  const { promise, resolve } = Promise.withResolvers<void>();
  const decoder = new StringDecoder('utf8');
  let text = '';
  let isMatched = false;
  return {
    matched: promise,
    get isMatched() {
      return isMatched;
    },
    look(bytes) {
      if (isMatched) return;
      text = (text + decoder.write(bytes)).slice(-WINDOW_CHARS - bytes.length);
      if (text.search(pattern) === -1) return;
      isMatched = true;
      resolve();
    },
  };
}
