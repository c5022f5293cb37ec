/** The content codings we send, in the order we prefer them. */
export const CODINGS = ['br', 'zstd', 'gzip'] as const;

/** A content coding (RFC 9110, section 8.4.1). */
export type Coding = (typeof CODINGS)[number];

/** What a file that holds another one in a coding is called after. */
export const EXTENSIONS: Readonly<Record<Coding, string>> = { br: '.br', zstd: '.zst', gzip: '.gz' };

/** What a client takes. */
export interface Preference {
  /** The codings it would rather have than the plain bytes, best first. */
  readonly codings: readonly Coding[];
  /** Whether it takes the plain bytes at all. */
  readonly identity: boolean;
}

const PLAIN: Preference = { codings: [], identity: true };

/** Browsers send a handful of different fields; whoever sends many must not make this grow. */
const MAX_KNOWN = 200;
const known = new Map<string, Preference>();

/** {@link parseAcceptEncoding}, remembered. */
export function preferenceOf(acceptEncoding: string | undefined): Preference {
  if (acceptEncoding === undefined) return PLAIN;
  const before = known.get(acceptEncoding);
  if (before !== undefined) return before;
  const preference = parseAcceptEncoding(acceptEncoding);
  if (known.size >= MAX_KNOWN) known.clear();
  // What is this long is nobody's usual field.
  if (acceptEncoding.length < 200) known.set(acceptEncoding, preference);
  return preference;
}

/**
 * What an `Accept-Encoding` field comes to (RFC 9110, section 12.5.3): by quality, at equal quality in our order; `*`
 * stands for what is not named; quality 0 forbids. The plain bytes come last unless they are named.
 */
export function parseAcceptEncoding(field: string): Preference {
  const named = new Map<string, number>();
  for (const element of field.split(',')) {
    const parsed = parseElement(element);
    if (parsed === undefined) continue;
    const [name, quality] = parsed;
    // Of two wishes for one coding the lesser: what is forbidden anywhere is not sent.
    named.set(name, Math.min(quality, named.get(name) ?? 1));
  }
  const others = named.get('*');
  const identity = named.get('identity');
  const codings = CODINGS.map((coding) => ({ coding, quality: named.get(coding) ?? others ?? 0 }))
    .filter(({ quality }) => quality > 0 && quality >= (identity ?? 0))
    .sort((a, b) => b.quality - a.quality)
    .map(({ coding }) => coding);
  return { codings, identity: (identity ?? others ?? 1) > 0 };
}

function parseElement(element: string): [name: string, quality: number] | undefined {
  const match = /^[ \t]*([!#$%&'*+.^_`|~\w-]+)[ \t]*(?:;[ \t]*q=([01](?:\.\d{0,3})?)[ \t]*)?$/i.exec(element);
  if (match === null) return undefined;
  const name = (match[1] as string).toLowerCase();
  const quality = match[2] === undefined ? 1 : Number(match[2]);
  return quality > 1 ? undefined : [name === 'x-gzip' ? 'gzip' : name, quality];
}
