import { getHeader } from './headers.js';
import type { HeaderList } from './messages.js';

/** Names Windows keeps for devices, whatever comes behind a dot. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** Most file systems take 255 bytes; some are kept for `.part`. */
const MAX_BYTES = 200;

/**
 * The name to save an answer under: that of its Content-Disposition (RFC 6266), else the last part of the URL's path.
 * Decoded first and then cut to its last component, so that it can name nothing outside its folder, and without
 * leading dots and control characters, so that it can hide nothing.
 */
export function toDownloadName(headers: HeaderList, url: URL): string {
  const field = getHeader(headers, 'content-disposition');
  const offered = field === undefined ? undefined : readFilename(field);
  return clean(offered ?? '') || clean(decode(url.pathname.split('/').at(-1) ?? '')) || 'download';
}

/** `filename*` before `filename` (RFC 6266, section 4.3). */
function readFilename(field: string): string | undefined {
  const extended = /;\s*filename\*\s*=\s*"?([\w-]+)'[^']*'([^\s;"]+)/i.exec(field);
  if (extended !== null) {
    const [, charset = '', text = ''] = extended;
    const bytes = Buffer.from(
      text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    );
    try {
      return new TextDecoder(charset, { fatal: true }).decode(bytes);
    } catch {
      // An unknown charset, or bytes it does not have: the plain name is left.
    }
  }
  // Many forget the quotes around blanks.
  const plain = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]+))/i.exec(field);
  return plain?.[1]?.replace(/\\(.)/g, '$1') ?? plain?.[2]?.trim();
}

function clean(name: string): string {
  const last = name.normalize('NFC').split(/[/\\]/).at(-1) ?? '';
  const visible = last
    .replace(/[\0-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c\ufeff]/g, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/^[\s.~-]+/, '')
    .replace(/[\s.]+$/, '');
  const safe = RESERVED.test(visible) ? `_${visible}` : visible;
  return shorten(safe);
}

/** Keeps the ending, which says what the file is. */
function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_BYTES) return name;
  const ending = /\.[^.]{1,16}$/.exec(name)?.[0] ?? '';
  let start = name.slice(0, name.length - ending.length);
  while (Buffer.byteLength(start + ending) > MAX_BYTES) start = [...start].slice(0, -1).join('');
  return start + ending;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
