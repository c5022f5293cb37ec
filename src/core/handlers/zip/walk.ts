import { closeSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isHidden, type Opened, openWithin, type Root, readablePath } from '../static/path.js';

/** A file or folder on the way through a tree. */
export interface Visited {
  /** Below the folder the walk began at: `sub/file.txt`, a folder with a slash at its end. */
  readonly name: string;
  /** The open file; of a folder only its dates matter. Closed by the walk once the next one is asked for. */
  readonly opened: Opened;
  readonly isFolder: boolean;
}

/** What a walk may see. */
export interface WalkOptions {
  readonly root: Root;
  readonly showHidden: boolean;
}

/**
 * Everything below a folder that could also be asked for one by one: each is opened and contained like a request's
 * file. Left out are hidden names, names no URL can say, what cannot be read, and links to folders (which may go
 * round in circles) or out of the root. One descriptor is open at a time, and one more for each folder being listed.
 */
export async function* walk(folder: string, options: WalkOptions, prefix = ''): AsyncGenerator<Visited> {
  for (const { name, isLink } of await readNames(options.root, folder)) {
    if (!options.showHidden && isHidden(`/${name}`)) continue;
    const path = folder + name;
    const opened = openQuietly(options.root, path);
    if (opened === undefined) continue;
    const isFolder = opened.stat.isDirectory();
    try {
      if (isFolder && isLink) continue;
      yield { name: prefix + name + (isFolder ? '/' : ''), opened, isFolder };
    } finally {
      closeSync(opened.fd);
    }
    if (isFolder) yield* walk(`${path}/`, options, `${prefix}${name}/`);
  }
}

async function readNames(root: Root, folder: string): Promise<{ name: string; isLink: boolean }[]> {
  const opened = openQuietly(root, folder);
  if (opened === undefined) return [];
  try {
    const entries = await readdir(readablePath(opened), { withFileTypes: true, encoding: 'buffer' });
    const names = entries.flatMap((entry) => {
      const name = entry.name.toString();
      // Not UTF-8: the name would be another one.
      return Buffer.from(name).equals(entry.name) ? [{ name, isLink: entry.isSymbolicLink() }] : [];
    });
    return names.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  } finally {
    closeSync(opened.fd);
  }
}

/** What cannot be opened is left out; an archive is not to fail for one bad file. */
function openQuietly(root: Root, path: string): Opened | undefined {
  try {
    const opened = openWithin(root, path);
    return typeof opened === 'number' ? undefined : opened;
  } catch {
    return undefined;
  }
}
