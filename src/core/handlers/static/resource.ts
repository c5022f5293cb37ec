import { type BigIntStats, closeSync, readSync, statSync } from 'node:fs';
import { type CachePolicy, cacheControlFor } from './cache-control.js';
import { CODINGS, type Coding, EXTENSIONS } from './coding.js';
import type { FoundFile } from './lookup.js';
import { contentTypeOf, isCompressible } from './mime.js';
import { type Opened, openWithin, type Root } from './path.js';
import { createRepresentation, type Representation } from './representation.js';

/** Up to here a file's content is kept in memory; reading as much at once costs less than one trip through the thread pool. */
const KEEP_BYTES = 256 * 1024;

/** Below this compressing saves no packet. */
const COMPRESS_LEAST_BYTES = 1024;

/** Above this compressing on the fly takes too long and too much memory. */
export const COMPRESS_MOST_BYTES = 4 * 1024 * 1024;

/** What an entry costs beside its bytes, roughly. */
const OVERHEAD_BYTES = 3000;

/**
 * A file that changed this shortly before it was read may change again without showing it: clocks of file systems
 * stand still for some milliseconds, and where they tell no fractions for up to two seconds.
 */
const UNSETTLED_MS = { fine: 50, coarse: 2100 };

/** A file on the disk, in the state it was read in. */
export interface Source {
  /** Below the root. */
  readonly path: string;
  readonly stat: BigIntStats;
}

/** The files that hold another one in a coding, with the state they were seen in. */
export type Siblings = Partial<Record<Coding, Source>>;

/** A file and all it can be sent as. */
export interface Resource {
  readonly kind: 'resource';
  /** The canonical path it answers. */
  readonly key: string;
  readonly file: Source;
  readonly cacheControl: string;
  readonly identity: Representation;
  /** What is at hand in a coding: from a file beside it, or compressed before. */
  readonly encoded: Partial<Record<Coding, Representation>>;
  readonly siblings: Siblings;
  /** Whether it may be compressed when no file beside it holds it. */
  readonly canCompress: boolean;
  /** Whether a change since it was read would show in the states of its files. */
  readonly isSettled: boolean;
  /** Memory it takes, roughly. */
  costBytes: number;
  /** The turn of the event loop in which its files were last compared with the disk. */
  checkedTurn: number;
  /** When it was last looked for anew. */
  foundMs: number;
}

/** What a resource is loaded with. */
export interface LoadOptions {
  readonly root: Root;
  readonly cache: CachePolicy | undefined;
  /** What a file is called when its path is empty: the root is that file. */
  readonly fileName: string;
}

/** Reads a file that was found and what lies beside it, and closes it. `undefined` when it changed meanwhile. */
export function loadResource(key: string, found: FoundFile, options: LoadOptions): Resource | undefined {
  const { path, opened } = found;
  const { stat } = opened;
  const bytes = readAndClose(opened);
  if (bytes === 'changed') return undefined;
  const contentType = contentTypeOf(path === '' ? options.fileName : path);
  const cacheControl = cacheControlFor(path, options.cache);
  const siblings = findSiblings(options.root, path, stat);
  const sizeBytes = Number(stat.size);
  const canCompress =
    isCompressible(contentType) && sizeBytes >= COMPRESS_LEAST_BYTES && sizeBytes <= COMPRESS_MOST_BYTES;
  const varies = canCompress || Object.keys(siblings).length > 0;
  const shared = { contentType, cacheControl, varies };
  const resource: Resource = {
    kind: 'resource',
    key,
    file: { path, stat },
    cacheControl,
    identity: createRepresentation({ ...shared, stat, bytes }),
    encoded: {},
    siblings,
    canCompress,
    isSettled: [stat, ...Object.values(siblings).map((sibling) => sibling.stat)].every(isSettled),
    costBytes: OVERHEAD_BYTES + (bytes?.length ?? 0),
    checkedTurn: 0,
    foundMs: 0,
  };
  for (const [coding, source] of Object.entries(siblings) as Array<[Coding, Source]>) {
    const sibling = openSource(options.root, source);
    const content = sibling === undefined ? 'changed' : readAndClose(sibling);
    if (content === 'changed') return undefined;
    resource.encoded[coding] = createRepresentation({ ...shared, stat: source.stat, coding, bytes: content });
    resource.costBytes += OVERHEAD_BYTES + (content?.length ?? 0);
  }
  return resource;
}

function isSettled({ ctimeNs, ctimeMs }: BigIntStats): boolean {
  const ageMs = Date.now() - Number(ctimeMs);
  const limitMs = ctimeNs % 1_000_000_000n === 0n ? UNSETTLED_MS.coarse : UNSETTLED_MS.fine;
  // A change far in the future is one by another clock, which this rule knows nothing of.
  return Math.abs(ageMs) > limitMs;
}

/**
 * Opens a file if it is still in the state it was seen in; with `mayGrow` also when it has become longer since, as
 * logs do: what was seen of it is there, and can be sent.
 */
export function openSource(root: Root, { path, stat }: Source, mayGrow = false): Opened | undefined {
  const opened = openWithin(root, path);
  if (typeof opened === 'number') return undefined;
  const { dev, ino, size } = opened.stat;
  const hasGrown = mayGrow && dev === stat.dev && ino === stat.ino && size >= stat.size;
  if (hasGrown || isSameState(opened.stat, stat)) return opened;
  closeSync(opened.fd);
  return undefined;
}

/** What a resource is in a coding, compressed here; without `bytes` only what can be said of it before it is. */
export function describeEncoded(
  { identity, cacheControl, file }: Resource,
  coding: Coding,
  bytes?: Buffer,
): Representation {
  const { contentType } = identity;
  const { stat } = file;
  return createRepresentation({
    contentType,
    cacheControl,
    varies: true,
    stat,
    coding,
    isDerived: true,
    bytes,
  });
}

/** Keeps what was compressed here. */
export function addEncoded(resource: Resource, coding: Coding, bytes: Buffer): Representation {
  const representation = describeEncoded(resource, coding, bytes);
  resource.costBytes += bytes.length - (resource.encoded[coding]?.bytes?.length ?? -OVERHEAD_BYTES);
  resource.encoded[coding] = representation;
  return representation;
}

/** Whether a file that was found is the one of a resource, with the same files beside it, all as they were read. */
export function isSameFile(root: Root, { path, opened }: FoundFile, known: Resource): boolean {
  if (!known.isSettled || path !== known.file.path || !isSameState(opened.stat, known.file.stat))
    return false;
  const siblings = findSiblings(root, path, opened.stat);
  return CODINGS.every((coding) => {
    const [now, before] = [siblings[coding], known.siblings[coding]];
    return now === undefined || before === undefined ? now === before : isSameState(now.stat, before.stat);
  });
}

/** Whether all files of a resource are on the disk as they were read, by a mere look. */
export function isUnchanged(root: Root, { file, siblings, isSettled }: Resource): boolean {
  if (!isSettled || !isAsBefore(root, file)) return false;
  for (const coding of CODINGS) {
    const sibling = siblings[coding];
    if (sibling !== undefined && !isAsBefore(root, sibling)) return false;
  }
  return true;
}

function isAsBefore(root: Root, { path, stat }: Source): boolean {
  try {
    const now = statSync(root.path + path, { bigint: true, throwIfNoEntry: false });
    return now !== undefined && isSameState(now, stat);
  } catch {
    return false;
  }
}

/** Whether two looks at a file saw the same state of it. Its time of inode change also tells of new permissions. */
function isSameState(a: BigIntStats, b: BigIntStats): boolean {
  return (
    a.mtimeNs === b.mtimeNs &&
    a.size === b.size &&
    a.ino === b.ino &&
    a.ctimeNs === b.ctimeNs &&
    a.dev === b.dev
  );
}

/** `app.js.br` and so on. One that is older than the file was made from what is there no more. */
function findSiblings(root: Root, path: string, { mtimeNs }: BigIntStats): Siblings {
  const siblings: Siblings = {};
  for (const coding of CODINGS) {
    const name = path + EXTENSIONS[coding];
    const opened = openWithin(root, name);
    if (typeof opened === 'number') continue;
    closeSync(opened.fd);
    const { stat } = opened;
    if (stat.isFile() && stat.size > 0n && stat.mtimeNs >= mtimeNs) siblings[coding] = { path: name, stat };
  }
  return siblings;
}

/** The content of a file worth keeping. */
function readAndClose({ fd, stat }: Opened): Buffer | undefined | 'changed' {
  try {
    if (stat.size > KEEP_BYTES) return undefined;
    return readFully(fd, Number(stat.size)) ?? 'changed';
  } finally {
    closeSync(fd);
  }
}

/** The first bytes of an open file; `undefined` when there are fewer. */
export function readFully(fd: number, length: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let filled = 0; filled < length; ) {
    const count = readSync(fd, bytes, filled, length - filled, filled);
    if (count === 0) return undefined;
    filled += count;
  }
  return bytes;
}
