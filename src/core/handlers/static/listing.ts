import type { Stats } from 'node:fs';
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { chooseType } from '../../http/accept.js';
import { getHeader } from '../../http/headers.js';
import { PAGE_POLICY } from '../../http/html.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { listingPage } from './listing-page.js';
import { isHidden, mayServe, type Opened, type Root, readablePath } from './path.js';

/** One row of a listing. `other` is what is there but cannot be had: a dangling link, a FIFO, a name no URL can say. */
export interface ListingEntry {
  readonly name: string;
  readonly type: 'directory' | 'file' | 'other';
  /** Of files only. */
  readonly sizeBytes: number | null;
  /** ISO 8601 in UTC. */
  readonly modified: string | null;
}

/** What a listing may show. */
export interface ListingOptions {
  readonly root: Root;
  readonly showHidden: boolean;
}

/** How many entries are looked at together: enough to keep the disk busy, few enough to leave the pool to others. */
const BATCH = 64;

const ORDER = { directory: 0, file: 1, other: 1 } as const;

/** Answers with the content of an open folder: a page, or JSON for clients that would rather have it. */
export async function respondWithListing(
  request: IncomingRequest,
  folder: Opened,
  options: ListingOptions,
): Promise<HttpResponse> {
  const entries = await readEntries(folder, options);
  const { path, headers } = request;
  const type = chooseType(getHeader(headers, 'accept'), ['text/html', 'application/json']);
  const body =
    type === 'text/html'
      ? listingPage(path, entries)
      : `${JSON.stringify({ path, entries }, undefined, 2)}\n`;
  return {
    status: 200,
    headers: [
      ['Content-Type', `${type}; charset=utf-8`],
      ['Cache-Control', 'no-cache'],
      ['Vary', 'Accept'],
      ['X-Content-Type-Options', 'nosniff'],
      ['Content-Security-Policy', PAGE_POLICY],
    ],
    body,
  };
}

async function readEntries(folder: Opened, options: ListingOptions): Promise<ListingEntry[]> {
  const path = readablePath(folder);
  const names = (await readdir(path, 'buffer')).filter(
    (name) => options.showHidden || !isHidden(`/${name.toString()}`),
  );
  const entries: ListingEntry[] = [];
  for (let start = 0; start < names.length; start += BATCH) {
    const batch = names.slice(start, start + BATCH);
    entries.push(...(await Promise.all(batch.map((name) => describeEntry(path, name, options.root)))));
  }
  const { compare } = new Intl.Collator('en', { numeric: true });
  return entries.sort((a, b) => ORDER[a.type] - ORDER[b.type] || compare(a.name, b.name));
}

/** Never throws: whatever is wrong with one name must not hide the others. */
async function describeEntry(folder: string, bytes: Buffer, root: Root): Promise<ListingEntry> {
  const name = bytes.toString();
  const isUtf8 = Buffer.from(name).equals(bytes);
  const other: ListingEntry = { name, type: 'other', sizeBytes: null, modified: null };
  if (!isUtf8) return other;
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
