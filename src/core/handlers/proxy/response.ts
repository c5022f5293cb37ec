import { Readable } from 'node:stream';
import { connectionNames, HOP_BY_HOP } from '../../http/hop-by-hop.js';
import type { HeaderList, HeaderPair, HttpResponse } from '../../http/messages.js';
import type { UpstreamReply } from '../../http/upstream/types.js';
import { createLocationMapper } from './location.js';
import type { ProxySettings } from './options.js';
import type { UpstreamUrl } from './upstream-url.js';

/** Turns the reply of an upstream into the answer for the client. */
export type ToResponse = (reply: UpstreamReply) => HttpResponse;

/** Makes the {@link ToResponse} of an upstream. */
export function createResponder(url: UpstreamUrl, settings: ProxySettings): ToResponse {
  const mapLocation = createLocationMapper(url, settings);
  const kept = new WeakMap<HeaderList, HeaderList>();
  return ({ head, body, trailers }) => {
    const { status, reason } = head;
    const comesAgain = Object.isFrozen(head.headers);
    let headers = comesAgain ? kept.get(head.headers) : undefined;
    if (headers === undefined) {
      headers = responseHeaders(head.headers, mapLocation);
      if (comesAgain) kept.set(head.headers, Object.freeze(headers));
    }
    if (body === undefined) return { status, reason, headers };
    if (!Buffer.isBuffer(body)) return { status, reason, headers, body, trailers };
    if (trailers().length === 0) return { status, reason, headers, body };
    // Trailers follow content whose length nobody announced.
    return { status, reason, headers, body: Readable.from([body]), trailers };
  };
}

/** The path of a cookie that is not sent everywhere. */
const COOKIE_PATH = /(;\s*path=)(\/[^;\s]+)/i;

/** The fields of a reply that the client gets; a `Location` within the upstream, or the path of a cookie, is one within us. */
export function responseHeaders(
  headers: readonly HeaderPair[],
  mapLocation: (location: string) => string,
): HeaderPair[] {
  const named = connectionNames(headers);
  const kept: HeaderPair[] = [];
  for (const pair of headers) {
    const key = pair[0].toLowerCase();
    if (HOP_BY_HOP.has(key) || named.has(key)) continue;
    if (key === 'location' || key === 'content-location') kept.push([pair[0], mapLocation(pair[1])]);
    else if (key === 'set-cookie')
      kept.push([pair[0], pair[1].replace(COOKIE_PATH, (_, name, path) => name + mapLocation(path))]);
    else kept.push(pair);
  }
  return kept;
}
