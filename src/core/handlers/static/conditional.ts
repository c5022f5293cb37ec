import { parseHttpDate } from '../../http/date.js';
import { getAllHeaders } from '../../http/headers.js';
import type { HeaderList } from '../../http/messages.js';

/** What tells one state of a file from another. */
export interface Validators {
  /** A strong entity tag, quotes included. */
  readonly etag: string;
  /** Last change, in whole seconds as HTTP counts them. */
  readonly modifiedMs: number;
}

/**
 * What the preconditions of a GET or HEAD come to, in the order of RFC 9110, section 13.2.2: 412, 304, or `undefined`
 * for an answer as usual.
 */
export function checkConditions(headers: HeaderList, validators: Validators): 304 | 412 | undefined {
  const { etag, modifiedMs } = validators;
  const match = fieldOf(headers, 'if-match');
  if (match !== undefined) {
    if (!holdsTag(match, etag, 'strong')) return 412;
  } else {
    const since = dateOf(headers, 'if-unmodified-since');
    if (since !== undefined && modifiedMs > since) return 412;
  }
  const noneMatch = fieldOf(headers, 'if-none-match');
  if (noneMatch !== undefined) return holdsTag(noneMatch, etag, 'weak') ? 304 : undefined;
  const since = dateOf(headers, 'if-modified-since');
  return since !== undefined && modifiedMs <= since ? 304 : undefined;
}

/** Whether a range may be answered: there is no `If-Range`, or it names exactly this state (section 13.1.5). */
export function rangeApplies(headers: HeaderList, { etag, modifiedMs }: Validators): boolean {
  const condition = fieldOf(headers, 'if-range');
  if (condition === undefined) return true;
  return condition.includes('"') ? condition === etag : parseHttpDate(condition) === modifiedMs;
}

function fieldOf(headers: HeaderList, name: string): string | undefined {
  const values = getAllHeaders(headers, name);
  return values.length === 0 ? undefined : values.join(', ').trim();
}

function dateOf(headers: HeaderList, name: string): number | undefined {
  const text = fieldOf(headers, name);
  return text === undefined ? undefined : parseHttpDate(text);
}

/** Whether a list of entity tags (a comma may stand inside one) holds ours, or is `*`. */
function holdsTag(list: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (list === '*') return true;
  for (const [, weak, tag] of list.matchAll(/(W\/)?("[^"]*")/g)) {
    if (tag === etag && (comparison === 'weak' || weak === undefined)) return true;
  }
  return false;
}
