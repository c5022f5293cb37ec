import { closeSync } from 'node:fs';
import { isHidden, isPortable, type Opened, openWithin, type Root } from './path.js';

/** How paths are turned into files. */
export interface LookupRules {
  readonly root: Root;
  /** The names one file may be asked for by, when the root is one. */
  readonly fileNames: ReadonlySet<string>;
  readonly showHidden: boolean;
  readonly indexNames: readonly string[];
  readonly cleanUrls: boolean;
  readonly listing: boolean;
}

/** A file that was found: its path below the root, and the file itself, open. Whoever gets it closes it. */
export interface FoundFile {
  readonly kind: 'file';
  readonly path: string;
  readonly opened: Opened;
}

/** What a canonical path comes to. */
export type Lookup =
  | FoundFile
  /** Answered at another canonical path. */
  | { readonly kind: 'redirect'; readonly path: string }
  /** A folder without an index file, and it may be listed. */
  | { readonly kind: 'folder' }
  | { readonly kind: 'forbidden' }
  /** `isSecret`: not even to be looked for. */
  | { readonly kind: 'missing'; readonly isSecret?: boolean };

const MISSING: Lookup = { kind: 'missing' };
const FORBIDDEN: Lookup = { kind: 'forbidden' };
const HTML = '.html';

/** Looks for what answers a canonical path, on the disk as it is now. */
export function lookUp(rules: LookupRules, path: string): Lookup {
  const { root } = rules;
  if (root.isFile) return rules.fileNames.has(path) ? (findFile(root, '') ?? MISSING) : MISSING;
  if (!isPortable(path) || (!rules.showHidden && isHidden(path))) return { kind: 'missing', isSecret: true };
  return path.endsWith('/') ? lookUpFolder(rules, path) : lookUpName(rules, path);
}

function lookUpFolder(rules: LookupRules, path: string): Lookup {
  for (const name of rules.indexNames) {
    const found = findFile(rules.root, path + name);
    if (found !== undefined) return found;
  }
  if (!rules.listing) return MISSING;
  const opened = openWithin(rules.root, path);
  if (typeof opened === 'number') return opened === 403 ? FORBIDDEN : MISSING;
  closeSync(opened.fd);
  return opened.stat.isDirectory() ? { kind: 'folder' } : MISSING;
}

function lookUpName(rules: LookupRules, path: string): Lookup {
  const { root, cleanUrls } = rules;
  const opened = openWithin(root, path);
  if (opened === 403) return FORBIDDEN;
  if (opened !== 404 && opened.stat.isFile()) {
    const clean = cleanUrls ? cleanPathOf(rules, path) : undefined;
    if (clean === undefined) return { kind: 'file', path, opened };
    closeSync(opened.fd);
    return { kind: 'redirect', path: clean };
  }
  const page = cleanUrls ? findFile(root, path + HTML) : undefined;
  if (opened === 404) return page ?? MISSING;
  closeSync(opened.fd);
  if (page !== undefined) return page;
  // Relative links work in a folder only when its address ends with a slash. One that shows nothing is not admitted to.
  return showsSomething(rules, `${path}/`) ? { kind: 'redirect', path: `${path}/` } : MISSING;
}

function showsSomething(rules: LookupRules, folder: string): boolean {
  const found = lookUpFolder(rules, folder);
  if (found.kind === 'file') closeSync(found.opened.fd);
  return found.kind !== 'missing';
}

/** `/about.html` → `/about`, `/docs/index.html` → `/docs/`; unless that would be another file. */
function cleanPathOf({ root, indexNames }: LookupRules, path: string): string | undefined {
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (!name.endsWith(HTML)) return undefined;
  if (name === indexNames[0]) return path.slice(0, slash + 1);
  const clean = path.slice(0, -HTML.length);
  // `/..html` would become `/.`, which is the folder.
  if (name.startsWith('.')) return undefined;
  const other = openWithin(root, clean);
  if (typeof other === 'number') return other === 404 ? clean : undefined;
  closeSync(other.fd);
  return other.stat.isDirectory() ? clean : undefined;
}

function findFile(root: Root, path: string): FoundFile | typeof FORBIDDEN | undefined {
  const opened = openWithin(root, path);
  if (opened === 403) return FORBIDDEN;
  if (opened === 404) return undefined;
  if (opened.stat.isFile()) return { kind: 'file', path, opened };
  closeSync(opened.fd);
  return undefined;
}
