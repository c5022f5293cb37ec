import type { Dirent, Stats } from 'node:fs';
import { lstat, opendir, realpath, stat } from 'node:fs/promises';
import type { Order } from './listing-query.js';
import { isHidden, mayServe, type Root } from './path.js';

/** One row of a listing. `other` is what is there but cannot be had: a dangling link, a FIFO, a name no URL can say. */
export interface ListingEntry {
  readonly name: string;
  readonly type: 'directory' | 'file' | 'other';
  /** Of files only. */
  readonly sizeBytes: number | null;
  /** ISO 8601 in UTC. */
  readonly modified: string | null;
}

/** What is to be read of a folder. */
export interface EntriesOptions extends Order {
  readonly root: Root;
  /** The folder's real path. */
  readonly place: string;
  readonly showHidden: boolean;
  /** Only names that hold this, without regard to case; all when empty. */
  readonly search: string;
  /** Which of the sorted entries are wanted. */
  readonly from: number;
  readonly count: number;
}

/** The wanted entries of a folder, sorted. */
export interface Entries {
  readonly entries: readonly ListingEntry[];
  /** How many match in all. */
  readonly total: number;
  /** The folder holds more than a listing looks at. */
  readonly cut: boolean;
}

/** How many entries are looked at together: enough to keep the disk busy, few enough to leave the pool to others. */
const BATCH = 64;

/** More names than this are left out of a listing: its memory and time are bounded, whatever is in the folder. */
const MOST_ENTRIES = 100_000;

const RANK = { directory: 0, file: 1, other: 1 } as const;

/** A name, and what the folder itself says about it: enough to sort by name without a look at each file. */
type Found = Pick<ListingEntry, 'name' | 'type'> & { readonly entry?: ListingEntry };

/** Reads the folder at a path: the entries that match, sorted, folders first. */
export async function readEntries(path: string, options: EntriesOptions): Promise<Entries> {
  const { names, cut } = await readNames(path, options);
  const describe = (name: string): Promise<ListingEntry> => describeEntry(path, name, options.root);
  const { sort, from, count } = options;
  const found: Found[] = await inBatches(names, async ({ name, type }) => {
    // Links and what some file systems do not tell need a look; so does everything when it is sorted by that.
    if (type !== undefined && (sort === 'name' || type === 'other')) return { name, type };
    const entry = await describe(name);
    return { name, type: entry.type, entry };
  });
  found.sort(comparison(options));
  const wanted = found.slice(from, from + count);
  const entries = await inBatches(wanted, async ({ name, type, entry }) => {
    if (entry !== undefined) return entry;
    return type === 'other' ? { name, type, sizeBytes: null, modified: null } : describe(name);
  });
  return { entries, total: found.length, cut };
}

interface Name {
  readonly name: string;
  /** `undefined` when it takes a look to know. */
  readonly type: ListingEntry['type'] | undefined;
}

async function readNames(
  path: string,
  options: EntriesOptions,
): Promise<{ names: readonly Name[]; cut: boolean }> {
  const wanted = options.search.toLowerCase();
  const names: Name[] = [];
  // Typed for strings only; as bytes, names that are not UTF-8 can be told from those that are.
  const folder = await opendir(path, { encoding: 'buffer' as BufferEncoding, bufferSize: 1024 });
  for await (const dirent of folder as unknown as AsyncIterable<Dirent<Buffer>>) {
    const name = dirent.name.toString();
    if (!options.showHidden && isHidden(`/${name}`)) continue;
    if (options.root.withholds?.(`${options.place}/${name}`)) continue;
    if (wanted !== '' && !name.toLowerCase().includes(wanted)) continue;
    if (names.length === MOST_ENTRIES) return { names, cut: true };
    names.push({ name, type: Buffer.from(name).equals(dirent.name) ? typeOf(dirent) : 'other' });
  }
  return { names, cut: false };
}

function typeOf(dirent: Dirent<Buffer>): Name['type'] {
  if (dirent.isFile()) return 'file';
  if (dirent.isDirectory()) return 'directory';
  const isSpecial =
    dirent.isFIFO() || dirent.isSocket() || dirent.isBlockDevice() || dirent.isCharacterDevice();
  return isSpecial ? 'other' : undefined;
}

async function inBatches<From, To>(
  values: readonly From[],
  toResult: (value: From) => Promise<To>,
): Promise<To[]> {
  const results: To[] = [];
  for (let start = 0; start < values.length; start += BATCH) {
    results.push(...(await Promise.all(values.slice(start, start + BATCH).map(toResult))));
  }
  return results;
}

/** Folders first whatever the order, names as the last word. */
function comparison({ sort, order }: Order): (a: Found, b: Found) => number {
  const sign = order === 'asc' ? 1 : -1;
  // Made here: the first one takes milliseconds, which a start without listings need not wait for.
  const { compare } = new Intl.Collator('en', { numeric: true });
  const byName = (a: Found, b: Found): number => compare(a.name, b.name);
  const byValue = (a: Found, b: Found): number => {
    if (sort === 'name') return byName(a, b);
    if (sort === 'size') return (a.entry?.sizeBytes ?? -1) - (b.entry?.sizeBytes ?? -1);
    const [first = '', second = ''] = [a.entry?.modified ?? '', b.entry?.modified ?? ''];
    return first < second ? -1 : Number(first > second);
  };
  return (a, b) => RANK[a.type] - RANK[b.type] || sign * byValue(a, b) || byName(a, b);
}

/** Never throws: whatever is wrong with one name must not hide the others. */
async function describeEntry(folder: string, name: string, root: Root): Promise<ListingEntry> {
  const other: ListingEntry = { name, type: 'other', sizeBytes: null, modified: null };
  try {
    const path = `${folder}/${name}`;
    const own = await lstat(path);
    return own.isSymbolicLink() ? await describeLink(other, path, root) : describeStats(other, own);
  } catch {
    return other;
  }
}

/** A link as what it leads to, unless that may not be served: then not even its size is told. */
async function describeLink(entry: ListingEntry, path: string, root: Root): Promise<ListingEntry> {
  const place = await realpath(path);
  return mayServe(root, place) ? describeStats(entry, await stat(place)) : entry;
}

function describeStats(entry: ListingEntry, stats: Stats): ListingEntry {
  const type = stats.isDirectory() ? 'directory' : stats.isFile() ? 'file' : 'other';
  const isDated = !Number.isNaN(stats.mtime.getTime());
  return {
    name: entry.name,
    type,
    sizeBytes: type === 'file' ? stats.size : null,
    modified: isDated ? stats.mtime.toISOString() : null,
  };
}
