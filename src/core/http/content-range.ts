import { getHeader } from './headers.js';
import type { HeaderList } from './messages.js';

/** `Content-Range: bytes 0-9/100`, or of a 416 with a star for the part (RFC 9110, section 14.4). */
export interface ContentRange {
  /** `undefined` when no part was sent. */
  readonly start: number | undefined;
  readonly end: number | undefined;
  /** How large the whole is; `undefined` when the server does not know. */
  readonly sizeBytes: number | undefined;
}

/** The Content-Range of an answer; `undefined` when it has none that can be understood. */
export function parseContentRange(headers: HeaderList): ContentRange | undefined {
  const field = getHeader(headers, 'content-range') ?? '';
  const [whole, start, end, size] = /^bytes\s+(?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(field.trim()) ?? [];
  if (whole === undefined) return undefined;
  const toNumber = (text: string | undefined): number | undefined =>
    text === undefined || text === '*' ? undefined : Number(text);
  return { start: toNumber(start), end: toNumber(end), sizeBytes: toNumber(size) };
}

/** What proves that two answers are of the same content: a strong ETag, else a date (RFC 9110, section 13.1.5). */
export function readValidator(headers: HeaderList): string | undefined {
  const etag = getHeader(headers, 'etag');
  if (etag !== undefined) return etag.startsWith('W/') ? undefined : etag;
  return getHeader(headers, 'last-modified');
}

/** What an answer says of the content it is of. */
export interface ContentState {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

/** The {@link ContentState} of an answer. */
export function readState(headers: HeaderList): ContentState {
  return { etag: getHeader(headers, 'etag'), lastModified: getHeader(headers, 'last-modified') };
}

/** Whether nothing speaks against two answers being of the same content: a weak ETag proves nothing, but another one does. */
export function mayBeSame(one: Partial<ContentState>, other: ContentState): boolean {
  const agree = (a: string | undefined, b: string | undefined): boolean =>
    a === undefined || b === undefined || a.replace(/^W\//, '') === b.replace(/^W\//, '');
  return agree(one.etag, other.etag) && agree(one.lastModified, other.lastModified);
}
