import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { IncomingRequest } from '../http/messages.js';
import type { ScriptPlace } from './cgi-env.js';

/** A script that may run, or the status that says why none does. */
export type ScriptLookup =
  | { readonly file: string; readonly place: ScriptPlace }
  | { readonly status: 403 | 404; readonly reason?: string };

const NOT_FOUND = { status: 404 } as const;

/**
 * Finds the script a path leads to: the first of its segments that is a file; what follows is PATH_INFO. Nothing
 * outside the folder and no dot file is found, also not through a link; a file nobody may execute is 403.
 */
export async function findScript(
  request: IncomingRequest,
  folder: string,
  prefix: string,
  documentRoot = folder,
): Promise<ScriptLookup> {
  const below = pathBelow(request.path, prefix);
  if (below === undefined || /[\\\0]/.test(below)) return NOT_FOUND;
  // An encoded slash would make another path of it than the one that rules were asked about.
  if (/%2f|%5c/i.test(request.rawPath)) return NOT_FOUND;
  const segments = below.split('/').filter((segment) => segment !== '');
  let path = folder;
  for (const [index, segment] of segments.entries()) {
    if (segment.startsWith('.')) return NOT_FOUND;
    path = join(path, segment);
    const kind = await kindOf(path);
    if (kind === 'folder') continue;
    if (kind === 'nothing') return NOT_FOUND;
    const real = await realpath(path);
    if (!real.startsWith(`${await realpath(folder)}${sep}`)) return NOT_FOUND;
    if (!(await isExecutable(real))) return { status: 403, reason: `${real} is not executable` };
    const after = segments.slice(index + 1).join('/');
    const isFolderLike = below.endsWith('/') ? '/' : '';
    const hasMore = after !== '' || isFolderLike !== '';
    return {
      file: real,
      place: {
        scriptName: toBytes(`${prefix}/${segments.slice(0, index + 1).join('/')}`),
        pathInfo: hasMore ? toBytes(`/${after}${after === '' ? '' : isFolderLike}`) : '',
        scriptFilename: toBytes(real),
        documentRoot: toBytes(documentRoot),
      },
    };
  }
  return NOT_FOUND;
}

/** The part of a canonical path below a prefix, on a segment's border; undefined when it is elsewhere. */
export function pathBelow(path: string, prefix: string): string | undefined {
  if (prefix === '') return path;
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined;
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
