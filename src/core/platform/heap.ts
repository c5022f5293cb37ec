import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Keeps the part of the heap for new objects from growing: thousands of connections that each live for long would
 * otherwise be held in memory up to three times over. Costs nothing where little is allocated per byte that passes.
 */
export function keepYoungHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** So many bytes in buffers that are used once may become garbage before it is collected. */
const COLLECT_BYTES = 4 * 2 ** 20;

type Collect = (options: { type: 'minor' }) => void;

let collect: Collect | undefined;
let uncollectedBytes = 0;

/**
 * Counts bytes that pass in buffers of their own, and collects those buffers from time to time: they are small objects
 * to V8, which would let 80 MB of them gather before it looks.
 */
export function countPassingBytes(bytes: number): void {
  uncollectedBytes += bytes;
  if (uncollectedBytes < COLLECT_BYTES) return;
  uncollectedBytes = 0;
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    // The flag shows in contexts that are made after it was set.
    collect = runInNewContext('gc') as Collect;
  }
  collect({ type: 'minor' });
}
