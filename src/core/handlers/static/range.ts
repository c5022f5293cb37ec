/** A part of a file: first and last byte, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Who asks for more ranges than this gets the whole: no honest client does. */
const MAX_RANGES = 100;

/** So few are answered to the letter. */
const FEW_RANGES = 8;

/** Among many, those this close are sent as one: the gap costs less than another part's head (lighttpd's figure). */
const GAP_BYTES = 80;

/**
 * The parts a `Range` field asks for (RFC 9110, section 14.1.2): cut to the file's size, disjoint, in the order asked
 * for. `unsatisfiable` when all of them lie behind the end; `undefined` when the field is to be ignored: another unit,
 * malformed, or far too many. Numbers of any length are right: what exceeds 2^53 exceeds every file.
 */
export function parseRanges(
  field: string,
  sizeBytes: number,
): readonly ByteRange[] | 'unsatisfiable' | undefined {
  const list = /^[ \t]*bytes=(.*)$/is.exec(field)?.[1];
  if (list === undefined) return undefined;
  const specs = list.split(',').filter((spec) => !/^[ \t]*$/.test(spec));
  if (specs.length === 0 || specs.length > MAX_RANGES) return undefined;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = parseSpec(spec, sizeBytes);
    if (range === undefined) return undefined;
    if (range !== 'unsatisfiable') ranges.push(range);
  }
  return ranges.length === 0 ? 'unsatisfiable' : coalesce(ranges);
}

function parseSpec(spec: string, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^[ \t]*(\d*)-(\d*)[ \t]*$/.exec(spec);
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

/**
 * Joins ranges that overlap or touch, and of many also those that nearly do; what is left is disjoint, and in the order of the first of those each
 * was made from (RFC 9110, section 15.3.7.2). No byte is sent twice, however often it was asked for.
 */
export function coalesce(ranges: readonly ByteRange[]): ByteRange[] {
  const gapBytes = ranges.length > FEW_RANGES ? GAP_BYTES : 0;
  const sorted = ranges
    .map(({ first, last }, order) => ({ first, last, order }))
    .sort((a, b) => a.first - b.first);
  const joined: Array<{ first: number; last: number; order: number }> = [];
  for (const range of sorted) {
    const before = joined.at(-1);
    if (before === undefined || range.first - before.last - 1 > gapBytes) {
      joined.push(range);
      continue;
    }
    before.last = Math.max(before.last, range.last);
    before.order = Math.min(before.order, range.order);
  }
  return joined.sort((a, b) => a.order - b.order).map(({ first, last }) => ({ first, last }));
}
