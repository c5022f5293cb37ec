import type { Writable } from 'node:stream';
import type { Terminal } from '../context.js';

/** A block of lines that is drawn again in place. */
export interface LiveBlock {
  draw(lines: readonly string[]): void;
}

const DEFAULT_ROWS = 24;
const NO_WRAP = '\u001b[?7l';
const WRAP = '\u001b[?7h';

/** A {@link LiveBlock} on a terminal; what does not fit it is cut off, as lines that scrolled away stay. */
export function createLiveBlock(terminal: Writable & Terminal): LiveBlock {
  let drawn = 0;
  return {
    draw(lines) {
      const shown = lines.slice(0, Math.max(1, (terminal.rows || DEFAULT_ROWS) - 1));
      // Up to the block's first line, and each line cleared to its end as it is written.
      const up = drawn === 0 ? '' : `\u001b[${drawn}A`;
      const below = shown.length < drawn ? '\u001b[J' : '';
      const text = shown.map((line) => `\r${line}\u001b[K\n`).join('');
      terminal.write(`${NO_WRAP}${up}${text}${below}${WRAP}`);
      drawn = shown.length;
    },
  };
}
