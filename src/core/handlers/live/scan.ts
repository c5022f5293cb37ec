import { readdir, stat } from 'node:fs/promises';
import type { WatchOptions } from './watch.js';

/** So many files are looked at; a folder with more is better watched by the system. */
const MOST_FILES = 50_000;

const BATCH = 64;

/** Every file below a folder with what tells one state of it from another. Never throws: what is gone is not there. */
export async function scanTree(
  options: Pick<WatchOptions, 'path' | 'isFile' | 'ignores'>,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  if (options.isFile) {
    await note(found, options.path, '');
    return found;
  }
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await readdir(`${options.path}/${folder}`, { withFileTypes: true }).catch(() => []);
    const files: string[] = [];
    for (const entry of entries) {
      const path = folder + entry.name;
      if (options.ignores(path)) continue;
      if (entry.isDirectory()) folders.push(`${path}/`);
      else if (entry.isFile() && found.size + files.length < MOST_FILES) files.push(path);
    }
    for (let start = 0; start < files.length; start += BATCH) {
      const batch = files.slice(start, start + BATCH);
      await Promise.all(batch.map((path) => note(found, `${options.path}/${path}`, path)));
    }
  }
  return found;
}

async function note(found: Map<string, string>, place: string, path: string): Promise<void> {
  const state = await stat(place, { bigint: true }).catch(() => undefined);
  if (state !== undefined) found.set(path, `${state.ino}:${state.size}:${state.mtimeNs}`);
}
