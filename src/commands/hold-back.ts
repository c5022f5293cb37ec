import type { Content } from '../core/http/content.js';

/** What is held back at most, before it is given out although it is not complete. */
const HELD_BYTES = 8 * 2 ** 20;

/**
 * Content that is not given out before it is complete, so that nothing of a failed attempt is; beyond 8 MiB it is
 * given out as it comes, which ends the attempts.
 */
export function holdBack(content: Content, state: { hasBegun: boolean }): Content {
  return {
    stream() {
      state.hasBegun = true;
      return content.stream();
    },
    async pour(sink) {
      let held: Buffer[] | undefined = [];
      let size = 0;
      const release = async (): Promise<void> => {
        const pieces = held ?? [];
        held = undefined;
        state.hasBegun = true;
        for (const piece of pieces) await sink(piece);
      };
      await content.pour((bytes) => {
        if (held === undefined) return sink(bytes);
        // A copy: the bytes are only lent.
        held.push(Buffer.from(bytes));
        size += bytes.length;
        return size > HELD_BYTES ? release() : undefined;
      });
      if (held !== undefined) await release();
    },
  };
}
