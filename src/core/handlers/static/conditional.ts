import { parseHttpDate } from '../../http/date.js';
import type { Asked } from './asked.js';

/** What tells one state of a representation from another. */
export interface Validators {
  /** An entity tag, quotes and `W/` included. */
  readonly etag: string;
  /** Last change, in whole seconds as HTTP counts them. */
  readonly modifiedMs: number;
}

/**
 * What the preconditions of a GET or HEAD come to, in the order of RFC 9110, section 13.2.2: 412, 304, or `undefined`
 * for an answer as usual.
 */
export function checkConditions(asked: Asked, { etag, modifiedMs }: Validators): 304 | 412 | undefined {
  if (asked.ifMatch !== undefined) {
    if (!holdsTag(asked.ifMatch, etag, 'strong')) return 412;
  } else {
    const since = dateOf(asked.ifUnmodifiedSince);
    if (since !== undefined && modifiedMs > since) return 412;
  }
  if (asked.ifNoneMatch !== undefined) return holdsTag(asked.ifNoneMatch, etag, 'weak') ? 304 : undefined;
  const since = dateOf(asked.ifModifiedSince);
  return since !== undefined && modifiedMs <= since ? 304 : undefined;
}

/** Whether a range may be answered: there is no `If-Range`, or it names exactly this state (section 13.1.5). */
export function rangeApplies({ ifRange }: Asked, { etag, modifiedMs }: Validators): boolean {
  if (ifRange === undefined) return true;
  const condition = ifRange.trim();
  if (condition.includes('"')) return condition === etag && !etag.startsWith('W/');
  return parseHttpDate(condition) === modifiedMs;
}

function dateOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseHttpDate(text.trim());
}

/** Whether a list of entity tags (a comma may stand inside one) holds ours, or is `*`. */
function holdsTag(list: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  const isWeak = etag.startsWith('W/');
  // By far the most common: the one tag we gave.
  if (list === etag && (comparison === 'weak' || !isWeak)) return true;
  if (list.trim() === '*') return true;
  if (isWeak && comparison === 'strong') return false;
  const opaque = isWeak ? etag.slice(2) : etag;
  for (const [, weak, tag] of list.matchAll(/(W\/)?("[^"]*")/g)) {
    if (tag === opaque && (comparison === 'weak' || weak === undefined)) return true;
  }
  return false;
}
