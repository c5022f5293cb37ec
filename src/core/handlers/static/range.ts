/** A part of a file: first and last byte, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * The part a `Range` field asks for (RFC 9110, section 14.1.2), cut to the file's size. `unsatisfiable` when it lies
 * behind the end; `undefined` when the field is to be ignored: another unit, malformed, or several ranges.
 * Numbers of any length are right: what exceeds 2^53 exceeds every file.
 */
export function parseRange(field: string, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(field);
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return undefined;
    const length = Math.min(Number(to), sizeBytes);
    if (Number(to) === 0) return 'unsatisfiable';
    // The last bytes of nothing are nothing, which no Content-Range can say.
    return sizeBytes === 0 ? undefined : { first: sizeBytes - length, last: sizeBytes - 1 };
  }
  if (to !== '' && BigInt(to) < BigInt(from)) return undefined;
  if (Number(from) >= sizeBytes) return 'unsatisfiable';
  return { first: Number(from), last: to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1) };
}
