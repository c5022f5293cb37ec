import { getAllHeaders } from './headers.js';
import type { IncomingRequest } from './messages.js';

/**
 * The address a request really came from: behind trusted proxies the last address of `X-Forwarded-For` that is not
 * one of theirs (each hop appends the one it saw, so what stands before that could have been made up).
 */
export function clientAddress(request: IncomingRequest, isTrusted: (address: string) => boolean): string {
  if (!isTrusted(request.remoteAddress)) return request.remoteAddress;
  const hops = getAllHeaders(request.headers, 'x-forwarded-for').flatMap((value) => value.split(','));
  let client = request.remoteAddress;
  for (const hop of hops.reverse()) {
    const address = hop.trim().replace(/^\[(.*)\](?::\d+)?$/, '$1');
    if (address === '' || address === 'unknown') break;
    client = address;
    if (!isTrusted(address)) break;
  }
  return client;
}
