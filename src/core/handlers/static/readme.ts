import { closeSync, readSync } from 'node:fs';
import type { ListingEntry } from './listing-entries.js';
import { openWithin, type Root } from './path.js';

/** A folder's own words about itself. */
export interface Readme {
  readonly name: string;
  readonly text: string;
  /** The file goes on. */
  readonly cut: boolean;
}

const MOST_BYTES = 64 * 1024;

/** The best first. */
const NAMES = ['readme.md', 'readme.txt', 'readme'];

/** The README among the entries of a folder, opened as strictly as any file; nothing when it cannot be read. */
export function readReadme(root: Root, path: string, entries: readonly ListingEntry[]): Readme | undefined {
  const ranked = entries
    .filter(({ type, name }) => type === 'file' && NAMES.includes(name.toLowerCase()))
    .sort((a, b) => NAMES.indexOf(a.name.toLowerCase()) - NAMES.indexOf(b.name.toLowerCase()));
  const name = ranked[0]?.name;
  if (name === undefined) return undefined;
  try {
    return readStart(root, path, name);
  } catch {
    // The listing does without it.
    return undefined;
  }
}

function readStart(root: Root, path: string, name: string): Readme | undefined {
  const opened = openWithin(root, path + name);
  if (typeof opened === 'number') return undefined;
  try {
    if (!opened.stat.isFile()) return undefined;
    const bytes = Buffer.allocUnsafe(Math.min(MOST_BYTES, Number(opened.stat.size)));
    const length = readSync(opened.fd, bytes, 0, bytes.length, 0);
    // A cut may fall into a character: what is left of it is dropped.
    const text = new TextDecoder().decode(bytes.subarray(0, length), { stream: true });
    return { name, text, cut: opened.stat.size > BigInt(length) };
  } finally {
    closeSync(opened.fd);
  }
}
