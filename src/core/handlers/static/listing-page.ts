import { escapeHtml, htmlPage } from '../../http/html.js';
import type { ListingEntry } from './listing.js';

const STYLE = `
table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600;color:var(--dim)}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line)}
td:first-child{overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
a{text-decoration:none}a:hover,a:focus{text-decoration:underline}
.o{color:var(--dim)}`;

/** The HTML page of a folder: every name escaped, every link relative, readable without script. */
export function listingPage(path: string, entries: readonly ListingEntry[]): string {
  const rows = entries.map(toRow);
  if (path !== '/') rows.unshift('<tr><td><a href="../">../</a></td><td></td><td></td></tr>');
  const body = `<h1>${breadcrumbs(path)}</h1>
<table>
<thead><tr><th>Name</th><th class="n">Size</th><th class="n">Modified (UTC)</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>`;
  return htmlPage(`Index of ${path}`, body, STYLE);
}

function toRow({ name, type, sizeBytes, modified }: ListingEntry): string {
  const shown = `<bdi>${escapeHtml(name)}</bdi>${type === 'directory' ? '/' : ''}`;
  // `./` keeps a name like `javascript:x` a name.
  const href = `./${encodeURIComponent(name)}${type === 'directory' ? '/' : ''}`;
  const link =
    type === 'other' ? `<span class="o">${shown}</span>` : `<a href="${escapeHtml(href)}">${shown}</a>`;
  const size = sizeBytes === null ? '' : `<span title="${sizeBytes} bytes">${formatSize(sizeBytes)}</span>`;
  const date =
    modified === null ? '' : `<time datetime="${modified}">${modified.slice(0, 16).replace('T', ' ')}</time>`;
  return `<tr><td>${link}</td><td class="n">${size}</td><td class="n">${date}</td></tr>`;
}

/** Each folder on the way as a link, relative so that it also works behind a proxy that adds a prefix. */
function breadcrumbs(path: string): string {
  const names = path.split('/').filter(Boolean);
  const crumbs = names.map((name, index) => {
    const above = names.length - 1 - index;
    return `<a href="${'../'.repeat(above) || './'}"><bdi>${escapeHtml(name)}</bdi></a>/`;
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
