/** How long answers may be kept: a number is seconds. */
export type CachePolicy = 'no-cache' | 'no-store' | number;

const YEAR_SECONDS = 31_536_000;

/** What bundlers put a hash into. Pages are not among it: they are what leads to the new hashes. */
const ASSET =
  /[.-]([\w-]{8,64})(?:\.chunk|\.min|\.module|\.m?js|\.css)?\.(?:(js|mjs|cjs|css|wasm|woff2?|ttf|otf|map)|svg|png|jpe?g|gif|webp|avif|ico|mp[34]|webm|ogg)$/;

/**
 * The `Cache-Control` of a file. Unless told otherwise a copy may be kept but must be checked before each use; a file
 * whose name holds a hash of its content never changes under that name.
 */
export function cacheControlFor(path: string, policy: CachePolicy | undefined): string {
  if (typeof policy === 'number') return `max-age=${policy}`;
  if (policy !== undefined) return policy;
  return hasHashedName(path) ? `max-age=${YEAR_SECONDS}, immutable` : 'no-cache';
}

/**
 * Whether a bundler has put a hash of the content into the name: `main.3f2a9c1b.js` (webpack, Parcel, 8 or more hex
 * digits), `index-BxN2a3cD.css` (Rollup, Vite), `chunk-7KQ2M4XZ.js` (esbuild). Rather not than wrongly: words,
 * versions, dates and counters (`report-20260101`, `Chapter1`, `1024x768`) are no hashes.
 */
export function hasHashedName(path: string): boolean {
  const match = ASSET.exec(path.slice(path.lastIndexOf('/') + 1));
  if (match === null) return false;
  const [, rest = '', code] = match;
  const word = rest.slice(rest.lastIndexOf('-') + 1);
  if (hasDigitInside(word) && /^[0-9a-f]{8,64}$/.test(word)) return true;
  // Eight letters of any case could be a camera's or a person's idea of a picture's name.
  return code !== undefined && looksRandom(/(?:^|-)([\w-]{8})$/.exec(rest)?.[1] ?? '');
}

/** esbuild's alphabet is base32, Rollup's base64url, with `-` in it. */
function looksRandom(word: string): boolean {
  if (!hasDigitInside(word)) return false;
  return /^[A-Z2-7]{8}$/.test(word) || (/[a-z]/.test(word) && /[A-Z].*[A-Z]/.test(word));
}

/** A digit before a letter: a word, or a word with a number behind it, has none; and a date is no hash. */
function hasDigitInside(word: string): boolean {
  return /\d.*[A-Za-z]/.test(word) && !/^(?:19|20)\d\d/.test(word);
}
