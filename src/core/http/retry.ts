import type { ErrorCode } from '../errors.js';
import { getHeader, hasHeader } from './headers.js';
import type { HeaderList } from './messages.js';

/** Statuses that may go away by themselves. */
const STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Failures that may go away by themselves. */
const CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'DNS_NOT_FOUND',
  'DNS_FAILED',
  'CONNECTION_REFUSED',
  'UNREACHABLE',
  'TIMEOUT',
  'TLS_HANDSHAKE',
  'EMPTY_REPLY',
  'CONNECTION_BROKEN',
  'TRUNCATED',
]);

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** The longest pause between two attempts that we choose ourselves. */
const LONGEST_PAUSE_MS = 60_000;

/** Whether sending a request twice does no harm; an `Idempotency-Key` says that it does not. */
export function isRepeatable(method: string, headers: HeaderList): boolean {
  return IDEMPOTENT.has(method) || hasHeader(headers, 'idempotency-key');
}

/** Whether another attempt may end better than this status. */
export function isRetryStatus(status: number): boolean {
  return STATUSES.has(status);
}

/** Whether another attempt may end better than this failure. */
export function isRetryCode(code: ErrorCode): boolean {
  return CODES.has(code);
}

/** The pause before attempt `attempt + 1`: doubled each time, and between half and all of that at random. */
export function pauseMs(attempt: number, firstMs: number, random: () => number = Math.random): number {
  const whole = Math.min(firstMs * 2 ** (attempt - 1), Math.max(LONGEST_PAUSE_MS, firstMs));
  return whole * (0.5 + random() / 2);
}

/** How long a server asks to wait (RFC 9110, section 10.2.3): seconds or a date; `undefined` when it does not say. */
export function retryAfterMs(headers: HeaderList, now: number = Date.now()): number | undefined {
  const value = getHeader(headers, 'retry-after')?.trim();
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
