import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { IncomingRequest } from '../http/messages.js';
import { parseTarget } from '../http/target.js';
import type { ScriptPlace } from './cgi-env.js';
import { pathBelow } from './mounts.js';

/** Where the scripts are, and how they are looked for. */
export interface ScriptSource {
  /** The folder with the scripts; or one script, which then answers for every path below the prefix. */
  readonly scripts: string;
  readonly prefix: string;
  readonly documentRoot: string;
  /** Run what links lead to that leave the folder. */
  readonly followLinks: boolean;
  /** The names of scripts that answer for their folder. */
  readonly index: readonly string[];
}

/** A script that may run, the path that is the folder's rather than this one, or the status that says why neither. */
export type ScriptLookup =
  | { readonly file: string; readonly place: ScriptPlace }
  | { readonly redirect: string }
  | { readonly status: 403 | 404; readonly reason?: string };

const NOT_FOUND = { status: 404 } as const;

/**
 * Finds the script a path leads to: the first of its segments that is a file; what follows is PATH_INFO. A folder has
 * its index. No dot file is found, and nothing outside the folder, unless links are followed; a file nobody may execute
 * is 403.
 */
export async function findScript(request: IncomingRequest, source: ScriptSource): Promise<ScriptLookup> {
  const { scripts, prefix, documentRoot } = source;
  const below = pathBelow(request.path, prefix);
  if (below === undefined || /[\\\0]/.test(below)) return NOT_FOUND;
  const segments = below.split('/').filter((segment) => segment !== '');
  let url = '';
  let path = scripts;
  let kind = await kindOf(path);
  for (const segment of segments) {
    if (kind !== 'folder') break;
    if (segment.startsWith('.')) return NOT_FOUND;
    url += `/${segment}`;
    path = join(path, segment);
    kind = await kindOf(path);
  }
  if (kind === 'folder') {
    const name = await findIndex(path, source);
    if (name === undefined) return NOT_FOUND;
    // Relative links of its page work only below a slash; a form would lose what it sends on the way there.
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead && !below.endsWith('/')) return { redirect: `${request.path}/` };
    url += `/${name}`;
    path = join(path, name);
  } else if (kind === 'nothing') return NOT_FOUND;
  else if (path !== scripts && !(await isWithin(path, source))) {
    return { status: 404, reason: `${path} is a link that leaves the folder (run with --follow-symlinks)` };
  } else if (!(await isExecutable(path))) return { status: 403, reason: `${path} is not executable` };
  if (!isSentAs(prefix + url, request.rawPath)) return NOT_FOUND;
  return {
    // By the name it was asked for, which programs that are several go by.
    file: path,
    place: {
      scriptName: toBytes(prefix + url),
      pathInfo: toBytes(kind === 'folder' ? '' : below.slice(url.length)),
      scriptFilename: toBytes(path),
      documentRoot: toBytes(documentRoot),
    },
  };
}

/** Whether the script itself was asked for without an encoded slash, which would name another file than it says. */
export function isSentAs(scriptName: string, rawPath: string): boolean {
  const encoded = rawPath.search(/%(?:2f|5c)/i);
  if (encoded === -1) return true;
  const before = parseTarget(rawPath.slice(0, encoded))?.path;
  return before === scriptName || before?.startsWith(`${scriptName}/`) === true;
}

/** The first of the index scripts that is in a folder and may run. */
async function findIndex(folder: string, source: ScriptSource): Promise<string | undefined> {
  for (const name of source.index) {
    const path = join(folder, name);
    const isThere = (await kindOf(path)) === 'file' && (await isExecutable(path));
    if (isThere && (await isWithin(path, source))) return name;
  }
  return undefined;
}

async function isWithin(path: string, { scripts, followLinks }: ScriptSource): Promise<boolean> {
  return followLinks || (await realpath(path)).startsWith(`${await realpath(scripts)}${sep}`);
}

/** Text as a string with a character per byte. */
export function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

async function kindOf(path: string): Promise<'folder' | 'file' | 'nothing'> {
  try {
    const found = await stat(path);
    return found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'nothing';
  } catch {
    return 'nothing';
  }
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
