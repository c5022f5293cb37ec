import type { Writable } from 'node:stream';

/** A block of lines that is drawn again in place. */
export interface LiveBlock {
  draw(lines: readonly string[]): void;
}

/** A {@link LiveBlock} on a terminal. */
export function createLiveBlock(terminal: Writable): LiveBlock {
  let drawn = 0;
  return {
    draw(lines) {
      // Up to the block's first line, and each line cleared to its end as it is written.
      const up = drawn === 0 ? '' : `\u001b[${drawn}A`;
      const below = lines.length < drawn ? '\u001b[J' : '';
      terminal.write(`${up}${lines.map((line) => `\r${line}\u001b[K\n`).join('')}${below}`);
      drawn = lines.length;
    },
  };
}
