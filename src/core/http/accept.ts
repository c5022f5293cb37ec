interface MediaRange {
  readonly type: string;
  readonly quality: number;
  /** 2 for `text/html`, 1 for `text/*`, 0 for any type. */
  readonly precision: number;
}

/**
 * The offered media type a client likes best (RFC 9110, section 12.5.1): highest quality, then the one it named
 * more exactly, then the one it named first. The first offer when it has no wish or none can be met.
 */
export function chooseType<Offer extends string>(
  accept: string | undefined,
  offers: readonly [Offer, ...Offer[]],
): Offer {
  const ranges = accept === undefined ? [] : parseAccept(accept);
  let best: Offer = offers[0];
  let bestRange: MediaRange | undefined;
  for (const offer of offers) {
    const range = rangeFor(offer, ranges);
    if (range === undefined || range.quality === 0) continue;
    if (bestRange === undefined || compare(range, bestRange, ranges) < 0) {
      best = offer;
      bestRange = range;
    }
  }
  return best;
}

function parseAccept(accept: string): MediaRange[] {
  return accept.split(',').flatMap((part) => {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    if (!/^[^\s/]+\/[^\s/]+$/.test(type)) return [];
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    const quality = weight === undefined ? 1 : Number(weight);
    if (!(quality >= 0 && quality <= 1)) return [];
    return [{ type, quality, precision: type === '*/*' ? 0 : type.endsWith('/*') ? 1 : 2 }];
  });
}

/** The most exact range that covers a type decides about it. */
function rangeFor(offer: string, ranges: readonly MediaRange[]): MediaRange | undefined {
  const family = `${offer.split('/')[0]}/*`;
  for (const type of [offer, family, '*/*']) {
    const found = ranges.find((range) => range.type === type);
    if (found !== undefined) return found;
  }
  return undefined;
}

function compare(a: MediaRange, b: MediaRange, ranges: readonly MediaRange[]): number {
  return b.quality - a.quality || b.precision - a.precision || ranges.indexOf(a) - ranges.indexOf(b);
}
