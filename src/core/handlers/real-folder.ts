import { realpathSync } from 'node:fs';

/** For how long a folder is taken to be where it was. */
const KNOWN_MS = 1000;

/**
 * Where a folder really is. A deployment that moves the link `current` from one release to the next is followed within
 * a second; while nothing is there, the last place counts. Throws when nothing is there at first.
 */
export function createRealFolder(path: string): () => string {
  let place = realpathSync.native(path);
  let lookedMs = performance.now();
  return () => {
    const now = performance.now();
    if (now - lookedMs < KNOWN_MS) return place;
    lookedMs = now;
    try {
      place = realpathSync.native(path);
    } catch {
      // Between two releases.
    }
    return place;
  };
}
