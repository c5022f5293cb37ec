import { isIPv6 } from 'node:net';
import { errorResponse } from '../error-response.js';
import { guard, type Wrapper } from './wrap.js';

/** How often one address may ask. */
export interface RateLimit {
  readonly requests: number;
  readonly perMs: number;
}

/** Addresses that are remembered; the one that was quiet longest is forgotten first. */
const MAX_ADDRESSES = 100_000;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/**
 * 429 with `Retry-After` for addresses that ask too often: a token bucket each, as large as the limit. The time is not
 * that of the day, which may be set back: buckets would be empty until it comes again.
 */
export function limitRequests(limit: RateLimit, now: () => number = () => performance.now()): Wrapper {
  const { requests, perMs } = limit;
  const buckets = new Map<string, Bucket>();
  const take = (address: string): number => {
    const at = now();
    const bucket = buckets.get(address) ?? { tokens: requests, filledAt: at };
    bucket.tokens = Math.min(requests, bucket.tokens + ((at - bucket.filledAt) * requests) / perMs);
    bucket.filledAt = at;
    // Moved to the end: the map's order is that of the last requests.
    buckets.delete(address);
    buckets.set(address, bucket);
    if (buckets.size > MAX_ADDRESSES) buckets.delete(buckets.keys().next().value as string);
    if (bucket.tokens < 1) return ((1 - bucket.tokens) * perMs) / requests;
    bucket.tokens -= 1;
    return 0;
  };
  return guard((request) => {
    const waitMs = take(networkOf(request.remoteAddress));
    if (waitMs === 0) return undefined;
    return errorResponse(429, request.headers, [['Retry-After', String(Math.ceil(waitMs / 1000))]]);
  });
}

/** One customer has a whole /64 of IPv6 addresses to ask from. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array<string>(Math.max(0, zeros)).fill('0'), ...last].slice(0, 4).join(':');
}
