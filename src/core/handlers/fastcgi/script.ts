import { realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { IncomingRequest } from '../../http/messages.js';
import { toBytePath } from '../../http/target.js';
import type { ScriptPlace } from '../cgi-env.js';
import { isSentAs, toBytes } from '../cgi-script.js';
import { pathBelow } from '../mounts.js';
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
  /** Scripts that links lead to are run, too, wherever they are. */
  readonly followLinks: boolean;
}

/** Why a request is for no script, and for no file either. */
export type NoScript = 'missing' | 'folder';

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
  const place = { scriptName, pathInfo: toBytePath(request).slice(scriptName.length) };
  // Without a file's name php-fpm answers nothing, not even its own pages (pm.status_path).
  return prefix === '' ? place : { ...place, scriptFilename: scriptName };
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
   * The script a request is for; `undefined` when it is for something else, `folder` when the path of a folder that has
   * an index lacks the slash at its end. As `try_files $uri $uri/ /index.php` does: a script of that path, the index of
   * that folder, then, unless a file is there, the index of the root, which routes everything else.
   */
  locate({ method, path, rawPath }: IncomingRequest): ScriptPlace | NoScript | undefined {
    const { prefix, extensions, index, root } = this.#folder;
    const below = pathBelow(path, prefix);
    if (below === undefined) return undefined;
    const known = rawPath === path ? this.#find(below) : undefined;
    if (known !== undefined) return known;
    const script = splitScript(below, extensions);
    // What follows a script is for that to judge.
    if (/[\\\0]|\/\.(?!well-known(?:\/|$))/.test(script ?? below)) return undefined;
    const router = `/${index}`;
    // Decoded it would be another path; the script that routes everything sees it as it was sent.
    const isPlain = script === undefined ? !/%2f/i.test(rawPath) : isSentAs(prefix + script, rawPath);
    if (!isPlain) return this.#look(router);
    if (script !== undefined) {
      const place = this.#look(script);
      if (place === undefined) return 'missing';
      return script === below ? place : { ...place, pathInfo: toBytes(below.slice(script.length)) };
    }
    const inFolder = below.endsWith('/') ? this.#look(below + index) : undefined;
    if (inFolder !== undefined) return inFolder;
    const kind = kindOf(join(root(), below));
    if (kind === 'nothing') return this.#look(router);
    const behind = kind === 'folder' ? this.#look(`${below}/${index}`) : undefined;
    // Relative links of its page work only below a slash; a form would lose what it sends on the way there.
    return behind !== undefined && (method === 'GET' || method === 'HEAD') ? 'folder' : behind;
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
    const { prefix, scriptRoot, root, followLinks } = this.#folder;
    if (!isFileBelow(followLinks ? undefined : root(), join(root(), script))) return undefined;
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

/** Whether a file is there, and below the root, if that matters. */
function isFileBelow(root: string | undefined, path: string): boolean {
  try {
    // At once: what the system has in its cache costs a tenth of a trip through the thread pool.
    const real = realpathSync.native(path);
    if (root !== undefined && !real.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)) return false;
    return statSync(real).isFile();
  } catch {
    return false;
  }
}

/** A path that no file can have is nothing, like one that none has. */
function kindOf(path: string): 'folder' | 'file' | 'nothing' {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? 'nothing' : found.isDirectory() ? 'folder' : 'file';
  } catch {
    return 'nothing';
  }
}
