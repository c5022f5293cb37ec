import { closeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { isHidden, isPortable, type Opened, openWithin, type Root, readablePath } from '../static/path.js';
import { isCleanFileName } from './file-name.js';
import { Refusal } from './refusal.js';

/** An open folder inside the root that may be written to. Whoever gets it calls `close`. */
export interface Place {
  /** The path of a name in it; where the system allows, one that leads nowhere else whatever is moved meanwhile. */
  pathOf(name: string): string;
  /** The same folder under any name, for as long as it is open. */
  readonly key: string;
  close(): void;
}

/** What a path to be written comes to. */
export interface Destination {
  /** The path of the folder, with a slash at the end. */
  readonly folder: string;
  readonly name: string;
}

/** A canonical path as folder and name; refuses names that are not clean, and what is hidden. */
export function parseDestination(path: string, showHidden: boolean): Destination {
  const cut = path.replace(/\/$/, '').lastIndexOf('/') + 1;
  const name = path.slice(cut).replace(/\/$/, '');
  if (name === '') throw new Refusal(403, 'the folder itself cannot be written');
  if (!isPortable(path) || (!showHidden && isHidden(path.slice(0, cut)))) {
    throw new Refusal(404, 'there is no such folder');
  }
  return { folder: path.slice(0, cut), name };
}

/** Refuses a name that would not be the same everywhere: hidden, a device, with separators or controls. */
export function requireCleanName(name: string): void {
  if (!isCleanFileName(name)) throw new Refusal(400, 'files and folders cannot have this name here');
}

/**
 * Opens a folder for writing. What counts is the open descriptor: its real place must lie inside the root, so no link
 * leads a file out. With `makeFolders` missing ones are made on the way, each below one that was found good.
 */
export async function openPlace(root: Root, folder: string, makeFolders: boolean): Promise<Place> {
  const opened = openWithin(root, folder);
  if (typeof opened !== 'number') return toPlace(root, opened);
  if (opened === 403) throw new Refusal(403, 'writing is not permitted there');
  if (!makeFolders || folder === '/') throw new Refusal(404, 'there is no such folder');
  const cut = folder.slice(0, -1).lastIndexOf('/') + 1;
  const name = folder.slice(cut, -1);
  requireCleanName(name);
  const parent = await openPlace(root, folder.slice(0, cut), true);
  try {
    await mkdir(parent.pathOf(name)).catch(ignoreExisting);
  } finally {
    parent.close();
  }
  return openPlace(root, folder, false);
}

function toPlace(root: Root, opened: Opened): Place {
  if (!opened.stat.isDirectory()) {
    closeSync(opened.fd);
    throw new Refusal(404, 'there is no such folder');
  }
  const path = readablePath(opened);
  let isOpen = true;
  return {
    key: `${opened.stat.dev}:${opened.stat.ino}`,
    pathOf(name) {
      if (root.withholds?.(`${opened.place}/${name}`)) {
        throw new Refusal(403, 'programs of the site cannot be written');
      }
      return `${path}/${name}`;
    },
    close() {
      if (isOpen) closeSync(opened.fd);
      isOpen = false;
    },
  };
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
