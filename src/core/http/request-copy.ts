import { hasHeader } from './headers.js';
import type { HeaderList, IncomingRequest } from './messages.js';
import type { ParsedTarget } from './target.js';

/** What a request on behalf of another one has of its own. */
export interface Redirection extends ParsedTarget {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
}

/** The request a server makes of another one for itself: the same client, another target, no content. */
export function redirectRequest(request: IncomingRequest, redirection: Redirection): IncomingRequest {
  // Field by field: a request may be an object whose fields are made when they are asked for.
  const {
    httpVersion,
    scheme,
    body,
    remoteAddress,
    remotePort,
    peerAddress,
    localAddress,
    localPort,
    signal,
    user,
  } = request;
  const { method, target, rawPath, path, query, headers } = redirection;
  return {
    method,
    target,
    rawPath,
    path,
    query,
    headers,
    httpVersion,
    scheme,
    body,
    hasBody: false,
    remoteAddress,
    remotePort,
    peerAddress,
    localAddress,
    localPort,
    signal,
    user,
    note: (service) => request.note?.(service),
  };
}

/** Whether a request has content, or may have: one of HTTP/2 need not announce it. */
export function mayHaveBody({ hasBody, headers, httpVersion, method }: IncomingRequest): boolean {
  if (hasBody !== undefined) return hasBody;
  if (hasHeader(headers, 'content-length') || hasHeader(headers, 'transfer-encoding')) return true;
  return httpVersion === '2' && method !== 'GET' && method !== 'HEAD';
}
