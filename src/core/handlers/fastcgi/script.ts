import { realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { IncomingRequest } from '../../http/messages.js';
import { toBytePath } from '../../http/target.js';
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
  /** What answers for a folder, and for every path that is nothing at all: `index.php`; ends in an extension. */
  readonly index: string;
}

/** For how long a script that was there is taken to be there still: PHP's own cache does not look more often. */
const KNOWN_MS = 1000;
const MAX_KNOWN = 1000;

interface KnownScript {
  readonly place: ScriptPlace;
  readonly root: string;
  readonly sinceMs: number;
}

/** The place of an application that has all paths below a prefix, and no scripts. */
export function locateApplication(request: IncomingRequest, prefix: string): ScriptPlace {
  const scriptName = toBytes(prefix);
  return { scriptName, pathInfo: toBytePath(request).slice(scriptName.length) };
}

/**
 * Finds the scripts of a folder. What is not in there must not be run: `upload.jpg/x.php` (CVE-2019-11043).
 * What is missing is looked for each time.
 */
export class ScriptLocator {
  readonly #folder: ScriptFolder;
  readonly #known = new Map<string, KnownScript>();

  constructor(folder: ScriptFolder) {
    this.#folder = folder;
  }

  /**
   * The script a request is for; `undefined` when it is for something else. As `try_files $uri $uri/index.php
   * /index.php` does: a script of that path, the index of that folder, then, unless a file is there, the index of the
   * root, which routes everything else.
   */
  locate({ path, rawPath }: IncomingRequest): ScriptPlace | 'missing' | undefined {
    const { prefix, extensions, index, root } = this.#folder;
    const below = pathBelow(path, prefix) ?? (path === prefix ? '/' : undefined);
    if (below === undefined) return undefined;
    const known = rawPath === path ? this.#find(below) : undefined;
    if (known !== undefined) return known;
    if (/[\\\0]/.test(below) || /%5c/i.test(rawPath)) return undefined;
    if (/\/\.(?!well-known(?:\/|$))/.test(below)) return undefined;
    const router = `/${index}`;
    // Decoded it would be another path; the script that routes everything sees it as it was sent.
    if (/%2f/i.test(rawPath)) return this.#look(router);
    const script = splitScript(below, extensions);
    if (script !== undefined) {
      const place = this.#look(script);
      if (place === undefined) return 'missing';
      return script === below ? place : { ...place, pathInfo: toBytes(below.slice(script.length)) };
    }
    const inFolder = below.endsWith('/') ? this.#look(below + index) : undefined;
    if (inFolder !== undefined) return inFolder;
    return exists(join(root(), below)) ? undefined : this.#look(router);
  }

  /** A script that was there a moment ago: the same object, frozen to say so. */
  #find(script: string): ScriptPlace | undefined {
    const known = this.#known.get(script);
    if (known === undefined || performance.now() - known.sinceMs >= KNOWN_MS) return undefined;
    return known.root === this.#folder.root() ? known.place : undefined;
  }

  /** The script of that path, which begins with a slash. */
  #look(script: string): ScriptPlace | undefined {
    const known = this.#find(script);
    if (known !== undefined) return known;
    const { prefix, scriptRoot, root } = this.#folder;
    if (!isFileBelow(root(), join(root(), script))) return undefined;
    // The real folder, not the link to it: PHP remembers by the name what is in a file, and would run the old release.
    const documentRoot = scriptRoot ?? root();
    const place: ScriptPlace = Object.freeze({
      scriptName: toBytes(prefix + script),
      pathInfo: '',
      scriptFilename: toBytes(documentRoot.replace(/\/+$/, '') + script),
      documentRoot: toBytes(documentRoot),
    });
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(script, { place, root: root(), sinceMs: performance.now() });
    return place;
  }
}

/** The path up to and including the first segment that ends in one of the extensions. */
function splitScript(path: string, extensions: readonly string[]): string | undefined {
  for (let end = path.indexOf('/', 1); ; end = path.indexOf('/', end + 1)) {
    const head = end === -1 ? path : path.slice(0, end);
    if (endsInExtension(head, extensions)) return head;
    if (end === -1) return undefined;
  }
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
