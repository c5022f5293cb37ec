import { errorResponse } from '../http/error-response.js';
import type { Handler } from '../http/handler.js';
import type { IncomingRequest } from '../http/messages.js';

/** A handler for everything at or below a path. */
export interface Mount {
  /** `/api`: starts with a slash and does not end with one; empty for the rest of the site. */
  readonly prefix: string;
  readonly handler: Handler;
}

/** Gives each request to the mount with the longest prefix of its path, cut at segments: `/api` has no part in `/apix`. */
export function createMounts(mounts: readonly Mount[]): Handler {
  const [only] = mounts;
  if (mounts.length === 1 && only?.prefix === '') return only.handler;
  const longestFirst = [...mounts].sort((a, b) => b.prefix.length - a.prefix.length);
  const find = ({ path }: IncomingRequest): Handler | undefined =>
    longestFirst.find(
      ({ prefix }) =>
        path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/'),
    )?.handler;
  const canUpgrade = mounts.some(({ handler }) => handler.upgrade !== undefined);
  return {
    handle: (request) => find(request)?.handle(request) ?? errorResponse(404, request.headers),
    ...(canUpgrade && {
      async upgrade(request, socket, head) {
        const handler = find(request);
        if (handler?.upgrade !== undefined) return handler.upgrade(request, socket, head);
        // An upgrade may always be declined by answering as if it had not been asked for (RFC 9110, section 7.8).
        return handler?.handle(request) ?? errorResponse(404, request.headers);
      },
    }),
    retire() {
      for (const { handler } of mounts) handler.retire?.();
    },
    async close() {
      await Promise.all(mounts.map(({ handler }) => handler.close?.()));
    },
  };
}

/** The part of a canonical path below a prefix, on a segment's border: empty at the prefix itself; undefined elsewhere. */
export function pathBelow(path: string, prefix: string): string | undefined {
  const isBelow = prefix === '' || path === prefix || path.startsWith(`${prefix}/`);
  return isBelow ? path.slice(prefix.length) : undefined;
}

/** `api/`, `/api` and `/api/` are all the prefix `/api`; `/` is the whole site. */
export function normalizePrefix(text: string): string {
  const trimmed = text.replace(/\/+$/, '');
  return trimmed === '' || trimmed.startsWith('/') ? trimmed : `/${trimmed}`;
}
