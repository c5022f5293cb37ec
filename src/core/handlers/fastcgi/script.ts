import { realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { IncomingRequest } from '../../http/messages.js';
import type { ScriptPlace } from '../cgi-env.js';
import { pathBelow, toBytes } from '../cgi-script.js';

/** Where scripts are, and what they are called. */
export interface ScriptFolder {
  /** The folder as we see it. */
  readonly root: string;
  /** The folder as the application sees it: in a container it may be another one. */
  readonly scriptRoot: string;
  readonly prefix: string;
  /** `.php`: only a segment that ends so is a script. */
  readonly extensions: readonly string[];
  /** What answers for a folder, and for every path that is nothing at all: `index.php`. */
  readonly index: string;
  /** Whether the scripts can be looked for from here. */
  readonly checksFiles: boolean;
}

/**
 * The script a request is for; `undefined` when it is for something else. As `try_files $uri $uri/index.php
 * /index.php` does: a script of that path, the index of that folder, then, unless a file is there, the index of the
 * root, which routes everything else.
 */
export function locateScript(
  request: IncomingRequest,
  folder: ScriptFolder,
): ScriptPlace | 'missing' | undefined {
  const below = pathBelow(request.path, folder.prefix) ?? (request.path === folder.prefix ? '/' : undefined);
  if (below === undefined || /[\\\0]/.test(below) || /%5c/i.test(request.rawPath)) return undefined;
  if (/\/\.(?!well-known(?:\/|$))/.test(below)) return undefined;
  const root = `/${folder.index}`;
  // Decoded it would be another path; the script that routes everything sees it as it was sent.
  if (/%2f/i.test(request.rawPath)) return isScript(folder, root) ? place(folder, root, '') : undefined;
  const script = splitScript(below, folder.extensions);
  if (script !== undefined) {
    return isScript(folder, script) ? place(folder, script, below.slice(script.length)) : 'missing';
  }
  const index = `${below.endsWith('/') ? below : `${below}/`}${folder.index}`;
  if (below.endsWith('/') && isScript(folder, index)) return place(folder, index, '');
  if (index === root || exists(join(folder.root, below))) return undefined;
  return isScript(folder, root) ? place(folder, root, '') : undefined;
}

/**
 * The path up to and including the first segment that ends in one of the extensions. Letter case is folded for
 * ASCII only: with Unicode's rules the name of an upload could become a script's (FrankenPHP GHSA-3g8v-8r37-cgjm).
 */
export function splitScript(path: string, extensions: readonly string[]): string | undefined {
  for (let end = path.indexOf('/', 1); ; end = path.indexOf('/', end + 1)) {
    const head = end === -1 ? path : path.slice(0, end);
    const folded = head.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
    if (extensions.some((extension) => folded.endsWith(extension))) return head;
    if (end === -1) return undefined;
  }
}

function place({ root, scriptRoot, prefix }: ScriptFolder, script: string, pathInfo: string): ScriptPlace {
  return {
    scriptName: toBytes(prefix + script),
    pathInfo: toBytes(pathInfo),
    scriptFilename: toBytes(scriptRoot + script),
    documentRoot: toBytes(scriptRoot === '' ? root : scriptRoot),
  };
}

/** Whether the script is a file of the folder. What is not there must not be run: `upload.jpg/x.php` (CVE-2019-11043). */
function isScript({ root, checksFiles }: ScriptFolder, script: string): boolean {
  if (!checksFiles) return true;
  try {
    // At once: what the system has in its cache costs a tenth of a trip through the thread pool.
    const real = realpathSync.native(join(root, script));
    const base = realpathSync.native(root);
    return real.startsWith(base.endsWith(sep) ? base : `${base}${sep}`) && statSync(real).isFile();
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
