import { escapeHtml, htmlPage, PAGE_POLICY } from '../../http/html.js';
import { type FolderFeatures, takesUploads, type UploadRules } from './features.js';
import type { ListingEntry } from './listing-entries.js';
import { formatListingQuery, type ListingQuery, naturalOrder, type SortKey } from './listing-query.js';
import { LISTING_SCRIPT, scriptSource } from './listing-script.js';
import { LISTING_ICONS, LISTING_STYLE } from './listing-style.js';
import type { Readme } from './readme.js';
import { UPLOAD_SCRIPT } from './upload-script.js';

/** What a page of a listing shows. */
export interface ListingPage {
  readonly path: string;
  readonly entries: readonly ListingEntry[];
  /** How many entries all pages hold. */
  readonly total: number;
  /** Even that is not all the folder has. */
  readonly cut: boolean;
  readonly pages: number;
  readonly query: ListingQuery;
  readonly features: FolderFeatures;
  readonly readme: Readme | undefined;
}

/** What a listing may do: run its own scripts, known by their hashes, and send files to this very server. */
export function listingPolicy(path: string, { uploads }: FolderFeatures): string {
  const policy = PAGE_POLICY.replace("form-action 'none'", "form-action 'self'");
  const scripts = `script-src ${scriptSource(LISTING_SCRIPT)}`;
  if (!takesUploads(path, uploads)) return `${policy}; ${scripts}`;
  return `${policy}; ${scripts} ${scriptSource(UPLOAD_SCRIPT)}; connect-src 'self'`;
}

/** The HTML page of a folder: every name escaped, every link relative, readable and sortable without script. */
export function listingPage(page: ListingPage): string {
  const { path, entries, pages, query, features, readme } = page;
  const uploads = takesUploads(path, features.uploads) ? features.uploads : undefined;
  const rows = entries.map(toRow);
  if (path !== '/') rows.unshift(ROW_UP);
  const body = `${LISTING_ICONS}
<h1>${breadcrumbs(path)}</h1>
<div class="bar">${searchForm(query)}${features.zip ? '<a class="button" href="?zip" download>Download ZIP</a>' : ''}</div>
${uploads === undefined ? '' : uploadForm(uploads)}
<p class="note" role="status">${countText(page)}</p>
<table data-pages="${pages}"${uploads?.allowDelete ? ' data-delete' : ''}>
<thead><tr>${headCell('name', 'Name', page)}${headCell('size', 'Size', page)}${headCell('date', 'Modified<span class="utc"> (UTC)</span>', page)}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
${pageLinks(page)}${readme === undefined ? '' : readmeSection(readme)}
<script>${LISTING_SCRIPT}</script>${uploads === undefined ? '' : `\n<script>${UPLOAD_SCRIPT}</script>`}`;
  return htmlPage(`Index of ${path}`, body, LISTING_STYLE);
}

const ROW_UP =
  '<tr class="u"><td><a href="../"><svg class="i" aria-hidden="true"><use href="#d"/></svg>../</a></td><td></td><td class="d"></td></tr>';

function toRow({ name, type, sizeBytes, modified }: ListingEntry): string {
  const isFolder = type === 'directory';
  const icon = `<svg class="i" aria-hidden="true"><use href="#${isFolder ? 'd' : 'f'}"/></svg>`;
  const shown = `${icon}<bdi>${escapeHtml(name)}</bdi>${isFolder ? '/' : ''}`;
  // `./` keeps a name like `javascript:x` a name.
  const href = `./${encodeName(name)}${isFolder ? '/' : ''}`;
  const link =
    type === 'other' ? `<span class="o">${shown}</span>` : `<a href="${escapeHtml(href)}">${shown}</a>`;
  const size = sizeBytes === null ? '' : `<span title="${sizeBytes} bytes">${formatSize(sizeBytes)}</span>`;
  const date =
    modified === null ? '' : `<time datetime="${modified}">${modified.slice(0, 16).replace('T', ' ')}</time>`;
  const attributes = isFolder ? ' class="f"' : sizeBytes === null ? '' : ` data-s="${sizeBytes}"`;
  return `<tr${attributes}><td>${link}</td><td class="n">${size}</td><td class="n d">${date}</td></tr>`;
}

/** Half a surrogate pair, which only Windows has in names, cannot be said in a URL; it becomes U+FFFD. */
function encodeName(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

/** A heading that is a link to the listing sorted by it, the other way round when it is already. */
function headCell(key: SortKey, label: string, { query }: ListingPage): string {
  const isCurrent = query.sort === key;
  const flipped = query.order === 'asc' ? 'desc' : 'asc';
  const order = isCurrent ? flipped : naturalOrder(key);
  const href = escapeHtml(formatListingQuery({ ...query, sort: key, order, page: 1 }));
  const direction = query.order === 'asc' ? 'ascending' : 'descending';
  const cssClass = key === 'name' ? '' : ` class="n${key === 'date' ? ' d' : ''}"`;
  const sorted = isCurrent ? ` aria-sort="${direction}"` : '';
  return `<th scope="col" data-sort="${key}"${cssClass}${sorted}><a href="${href}">${label}</a></th>`;
}

function searchForm({ search, sort, order }: ListingQuery): string {
  return `<form role="search" method="get"><input type="search" name="search" value="${escapeHtml(search)}" placeholder="Search" aria-label="Search in this folder" title="Press / to search" autocomplete="off" spellcheck="false"><input type="hidden" name="sort" value="${sort}"><input type="hidden" name="order" value="${order}"><noscript><button>Search</button></noscript></form>`;
}

/** Works as it is; the script adds dropping, progress, resuming and whole folders. */
function uploadForm({ maxBytes, makeFolders }: UploadRules): string {
  return `<form class="up" method="post" enctype="multipart/form-data" data-max="${maxBytes}"${makeFolders ? ' data-mkdir' : ''}><input type="file" name="file" multiple required aria-label="Files to upload"><button>Upload</button><span class="note">up to ${formatSize(maxBytes)} each</span></form>
<ul class="jobs" aria-live="polite"></ul>`;
}

function countText({ total, cut, query }: ListingPage): string {
  const entries = `${total}${cut ? ' of even more' : ''} ${total === 1 ? 'entry' : 'entries'}`;
  if (query.search !== '') return `${entries} with “${escapeHtml(query.search)}” in the name`;
  return total === 0 ? 'This folder is empty' : entries;
}

function pageLinks({ pages, query }: ListingPage): string {
  if (pages === 1) return '';
  const link = (page: number, label: string, rel: string): string =>
    page < 1 || page > pages
      ? ''
      : `<a rel="${rel}" href="${escapeHtml(formatListingQuery({ ...query, page }))}">${label}</a>`;
  return `<p class="pages">${link(query.page - 1, '← Previous', 'prev')}<span>Page ${query.page} of ${pages}</span>${link(query.page + 1, 'Next →', 'next')}</p>\n`;
}

function readmeSection({ name, text, cut }: Readme): string {
  const rest = cut ? `<p class="note"><a href="./${encodeName(name)}">the whole file</a></p>` : '';
  // Line by line: escaping takes every other control away.
  const escaped = text
    .split(/\r?\n/)
    .map((line) => line.split('\t').map(escapeHtml).join('\t'))
    .join('\n');
  return `<section class="readme"><h2>${escapeHtml(name)}</h2><pre>${escaped}</pre>${rest}</section>`;
}

/** Each folder on the way as a link, relative so that it also works behind a proxy that adds a prefix. */
function breadcrumbs(path: string): string {
  const names = path.split('/').filter(Boolean);
  const crumbs = names.map((name, index) => {
    const above = names.length - 1 - index;
    return `<a href="${'../'.repeat(above) || './'}"><bdi>${escapeHtml(name)}</bdi></a><i>/</i>`;
  });
  return [`<a href="${'../'.repeat(names.length) || './'}">/</a>`, ...crumbs].join('');
}

function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let size = bytes;
  let unit = -1;
  do {
    size /= 1024;
    unit += 1;
  } while (size >= 1023.95 && unit < 4);
  return `${size.toFixed(1)} ${['KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]}`;
}
