import { lstat, opendir, unlink } from 'node:fs/promises';
import type { Place } from './place.js';
import { UNFINISHED } from './store.js';

/** An upload nobody has gone on with for so long is not gone on with. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;

/** How often a folder is looked through. */
const INTERVAL_MS = 60 * 60 * 1000;

/** So many folders are remembered. */
const MOST_FOLDERS = 1000;

/** Removes what uploads left unfinished: clients that never came back, a server that was killed. */
export class Sweeper {
  readonly #sweptMs = new Map<string, number>();

  /** Looks through a folder that is about to take an upload, now and then. Never throws. */
  async sweep(place: Place, nowMs: number = Date.now()): Promise<void> {
    const lastMs = this.#sweptMs.get(place.key);
    if (lastMs !== undefined && nowMs - lastMs < INTERVAL_MS) return;
    if (this.#sweptMs.size >= MOST_FOLDERS) this.#sweptMs.clear();
    this.#sweptMs.set(place.key, nowMs);
    try {
      for await (const { name } of await opendir(place.pathOf('.'))) {
        if (!name.startsWith(UNFINISHED) || !name.endsWith('.part')) continue;
        const path = place.pathOf(name);
        if (nowMs - (await lstat(path)).mtimeMs > ABANDONED_MS) await unlink(path);
      }
    } catch {
      // Somebody else was faster, or the folder cannot be read: the upload itself is not concerned.
    }
  }
}
