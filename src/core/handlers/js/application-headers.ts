import { type IsTrusted, isForwardedField } from '../../http/forwarded.js';
import { endToEndHeaders } from '../../http/hop-by-hop.js';
import type { HeaderPair, IncomingRequest } from '../../http/messages.js';

/** The fields of a request that an application sees: who stands before us is told by trusted peers only. */
export function applicationHeaders(
  request: IncomingRequest,
  { isTrusted }: { readonly isTrusted: IsTrusted },
): HeaderPair[] {
  const headers = endToEndHeaders(request.headers);
  if (!headers.some(([name]) => isForwardedField(name.toLowerCase()))) return headers;
  return isTrusted(request.peerAddress)
    ? headers
    : headers.filter(([name]) => !isForwardedField(name.toLowerCase()));
}
