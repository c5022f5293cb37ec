import { realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { IncomingRequest } from '../../http/messages.js';
import type { ScriptPlace } from '../cgi-env.js';
import { pathBelow, toBytes } from '../cgi-script.js';
import { endsInExtension } from '../script-extension.js';

/** Where scripts are, and what they are called. */
export interface ScriptFolder {
  /** Where the folder really is. */
  readonly root: () => string;
  /** The folder as the application sees it, when that is another one: in a container. */
  readonly scriptRoot: string | undefined;
  readonly prefix: string;
  /** `.php`: only a segment that ends so is a script. */
  readonly extensions: readonly string[];
  /** What answers for a folder, and for every path that is nothing at all: `index.php`. */
  readonly index: string;
  /** Whether there is a script of that path, which begins with a slash. */
  readonly isScript: (script: string) => boolean;
}

/** For how long a script that was there is taken to be there still: PHP's own cache does not look more often. */
const KNOWN_MS = 1000;
const MAX_KNOWN = 1000;

/**
 * Looks for the scripts of a folder. What is not in there must not be run: `upload.jpg/x.php` (CVE-2019-11043).
 * What is missing is looked for each time.
 */
export function createScriptCheck(root: () => string): (script: string) => boolean {
  const known = new Map<string, number>();
  return (script) => {
    const now = performance.now();
    const path = join(root(), script);
    if (now - (known.get(path) ?? Number.NEGATIVE_INFINITY) < KNOWN_MS) return true;
    if (!isFileBelow(root(), path)) return false;
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(path, now);
    return true;
  };
}

/** The place of an application that has all paths below a prefix, and no scripts. */
export function locateApplication(request: IncomingRequest, prefix: string): ScriptPlace {
  return { scriptName: toBytes(prefix), pathInfo: toBytes(request.path.slice(prefix.length)) };
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
  if (/%2f/i.test(request.rawPath)) return folder.isScript(root) ? place(folder, root, '') : undefined;
  const script = splitScript(below, folder.extensions);
  if (script !== undefined) {
    return folder.isScript(script) ? place(folder, script, below.slice(script.length)) : 'missing';
  }
  const index = `${below.endsWith('/') ? below : `${below}/`}${folder.index}`;
  if (below.endsWith('/') && folder.isScript(index)) return place(folder, index, '');
  if (index === root || exists(join(folder.root(), below))) return undefined;
  return folder.isScript(root) ? place(folder, root, '') : undefined;
}

/** The path up to and including the first segment that ends in one of the extensions. */
function splitScript(path: string, extensions: readonly string[]): string | undefined {
  for (let end = path.indexOf('/', 1); ; end = path.indexOf('/', end + 1)) {
    const head = end === -1 ? path : path.slice(0, end);
    if (endsInExtension(head, extensions)) return head;
    if (end === -1) return undefined;
  }
}

function place({ root, scriptRoot, prefix }: ScriptFolder, script: string, pathInfo: string): ScriptPlace {
  // The real folder, not the link to it: PHP remembers by the name what is in a file, and would run the old release.
  const folder = scriptRoot ?? root();
  return {
    scriptName: toBytes(prefix + script),
    pathInfo: toBytes(pathInfo),
    scriptFilename: toBytes(folder.replace(/\/+$/, '') + script),
    documentRoot: toBytes(folder),
  };
}

function isFileBelow(root: string, path: string): boolean {
  try {
    // At once: what the system has in its cache costs a tenth of a trip through the thread pool.
    const real = realpathSync.native(path);
    return real.startsWith(root.endsWith(sep) ? root : `${root}${sep}`) && statSync(real).isFile();
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
