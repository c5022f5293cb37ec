import { chooseType } from '../../http/accept.js';
import { getHeader } from '../../http/headers.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import type { FolderFeatures } from './features.js';
import { type Entries, readEntries } from './listing-entries.js';
import { listingPage, listingPolicy } from './listing-page.js';
import { type ListingQuery, parseListingQuery } from './listing-query.js';
import { type Opened, type Root, readablePath } from './path.js';
import { readReadme } from './readme.js';

/** What a listing may show. */
export interface ListingOptions {
  readonly root: Root;
  readonly showHidden: boolean;
  readonly features?: FolderFeatures | undefined;
}

/** Rows of one page: no browser is slow with them, and the page stays below a few hundred KiB. */
const PAGE_ROWS = 1000;

/** Answers with the content of an open folder: a page, or JSON for clients that would rather have it. */
export async function respondWithListing(
  request: IncomingRequest,
  folder: Opened,
  options: ListingOptions,
): Promise<HttpResponse> {
  const { features = {} } = options;
  const query = parseListingQuery(request.query, features.sort ?? 'name');
  const type = chooseType(getHeader(request.headers, 'accept'), ['text/html', 'application/json']);
  const isPage = type === 'text/html';
  const window = isPage
    ? { from: (query.page - 1) * PAGE_ROWS, count: PAGE_ROWS }
    : { from: 0, count: Number.POSITIVE_INFINITY };
  const { place } = folder;
  const found = await readEntries(readablePath(folder), { ...options, place, ...query, ...window });
  const headers: HttpResponse['headers'] = [
    ['Content-Type', `${type}; charset=utf-8`],
    ['Cache-Control', 'no-cache'],
    ['Vary', 'Accept'],
    ['X-Content-Type-Options', 'nosniff'],
    ['Content-Security-Policy', listingPolicy(request.path, features)],
  ];
  const body = isPage
    ? toPage(request.path, found, query, options)
    : `${JSON.stringify({ path: request.path, entries: found.entries, ...(found.cut && { cut: true }) }, undefined, 2)}\n`;
  return { status: 200, headers, body };
}

function toPage(
  path: string,
  { entries, total, cut }: Entries,
  query: ListingQuery,
  { root, features = {} }: ListingOptions,
): string {
  const readme = query.page === 1 && query.search === '' ? readReadme(root, path, entries) : undefined;
  const pages = Math.max(1, Math.ceil(total / PAGE_ROWS));
  return listingPage({ path, entries, total, cut, pages, query, features, readme });
}
