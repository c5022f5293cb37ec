import type { HeaderList } from '../../http/messages.js';

/** What a request says about the file it wants; repeated fields are joined with commas (RFC 9110, section 5.3). */
export interface Asked {
  acceptEncoding: string | undefined;
  ifMatch: string | undefined;
  ifNoneMatch: string | undefined;
  ifModifiedSince: string | undefined;
  ifUnmodifiedSince: string | undefined;
  ifRange: string | undefined;
  range: string | undefined;
  /** There is neither a condition nor a range: the whole file is wanted whatever its state. */
  isPlain: boolean;
}

type Field = Exclude<keyof Asked, 'isPlain'>;

const NAMES = {
  Range: 'range',
  'If-Match': 'ifMatch',
  'If-Range': 'ifRange',
  'If-None-Match': 'ifNoneMatch',
  'Accept-Encoding': 'acceptEncoding',
  'If-Modified-Since': 'ifModifiedSince',
  'If-Unmodified-Since': 'ifUnmodifiedSince',
} as const;

/** As clients write them, which spares most of them a copy in lower case. */
const FIELDS = new Map<string, Field>(
  Object.entries(NAMES).flatMap(([name, field]) => [
    [name, field],
    [name.toLowerCase(), field],
  ]),
);

/** Lengths of the names above: most fields of a request are passed over by this alone. */
const LENGTHS = new Set([...FIELDS.keys()].map((name) => name.length));

/** Reads in one pass the fields that decide how a file is answered. */
export function readAsked(headers: HeaderList): Asked {
  const asked = askNothing();
  for (const [name, value] of headers) {
    if (!LENGTHS.has(name.length)) continue;
    const field = FIELDS.get(name) ?? FIELDS.get(name.toLowerCase());
    if (field === undefined) continue;
    const before = asked[field];
    asked[field] = before === undefined ? value : `${before}, ${value}`;
    if (field !== 'acceptEncoding') asked.isPlain = false;
  }
  return asked;
}

/** What a request without any of these fields asks. */
export function askNothing(acceptEncoding?: string): Asked {
  return {
    acceptEncoding,
    ifMatch: undefined,
    ifNoneMatch: undefined,
    ifModifiedSince: undefined,
    ifUnmodifiedSince: undefined,
    ifRange: undefined,
    range: undefined,
    isPlain: true,
  };
}
