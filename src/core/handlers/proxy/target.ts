import type { IncomingRequest } from '../../http/messages.js';
import { pathBelow } from '../mounts.js';

/** A pattern of a path and query, and what stands for it: `$1` is what its first group found. */
export interface RewriteRule {
  readonly from: RegExp;
  readonly to: string;
}

/** How the target for the upstream is made. */
export interface TargetOptions {
  readonly prefix: string;
  readonly rewrite: readonly RewriteRule[];
}

/** What a request-target may hold on the wire; anything else would end it. */
const SENDABLE = /^[\x21-\x22\x24-\x7e\x80-\xff]+$/;

/**
 * The request-target for an upstream: as it was sent where that is unambiguous, else the canonical path it was
 * matched by. As in nginx a prefix is kept unless the upstream's URL has a path, which then replaces it. The first
 * rule that matches rewrites the rest. Undefined when what comes out cannot be sent.
 */
export function upstreamTarget(
  request: IncomingRequest,
  basePath: string | undefined,
  { prefix, rewrite }: TargetOptions,
): string | undefined {
  if (request.rawPath === '*') return prefix === '' && basePath === undefined ? '*' : undefined;
  const path = plainPath(request, prefix);
  const below = basePath === undefined ? path : basePath + (pathBelow(path, prefix) ?? '');
  const query = request.query === '' && !request.target.endsWith('?') ? '' : `?${request.query}`;
  let target = `${below.startsWith('/') ? below : `/${below}`}${query}`;
  for (const { from, to } of rewrite) {
    if (!from.test(target)) continue;
    target = target.replace(from, to);
    break;
  }
  return target.startsWith('/') && SENDABLE.test(target) ? target : undefined;
}

/**
 * The path as sent, unless the upstream could see another one in it than the rules that led here did: with dot
 * segments, also those with parameters (`..;x`, which Java's servers cut off), or a prefix that was written in escapes.
 */
function plainPath({ rawPath, path }: IncomingRequest, prefix: string): string {
  const isClear =
    rawPath === path
      ? !rawPath.includes('\\') && !rawPath.includes('.;')
      : !/(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|;|$)|\\|%5c/i.test(rawPath);
  const isBelow = prefix === '' || rawPath === prefix || rawPath.startsWith(`${prefix}/`);
  return isClear && isBelow ? rawPath : encodePath(path);
}

function encodePath(path: string): string {
  return encodeURI(path.toWellFormed())
    .replace(/[?#[\]\\]/g, (char) => encodeURIComponent(char))
    .replace(/(\/\.{1,2});/g, '$1%3B');
}
