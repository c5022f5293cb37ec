import { hasHeader } from './headers.js';
import type { HeaderList, HeaderPair, OutgoingRequest } from './messages.js';

/** The head of a request as it goes over the wire. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
}

/** Methods whose requests say that they have no content (RFC 9110, section 8.6). */
const EXPECTS_CONTENT = new Set(['POST', 'PUT', 'PATCH']);

/** What the client sends for a request, the fields that the connection and the framing add included. */
export function toRequestHead(request: OutgoingRequest): RequestHead {
  const { method, url, headers } = request;
  const host: HeaderPair[] = hasHeader(headers, 'host') ? [] : [['Host', url.host]];
  const connection: HeaderPair[] = hasHeader(headers, 'connection') ? [] : [['Connection', 'keep-alive']];
  const framing = hasHeader(headers, 'content-length') ? [] : toFraming(request);
  const target = `${url.pathname}${url.search}`;
  return { method, target, headers: [...host, ...connection, ...headers, ...framing] };
}

function toFraming({ method, body }: OutgoingRequest): HeaderPair[] {
  const sized = typeof body === 'string' || body instanceof Uint8Array;
  if (body !== undefined && !sized) return [['Transfer-Encoding', 'chunked']];
  const length = body === undefined ? 0 : Buffer.byteLength(body);
  return length > 0 || EXPECTS_CONTENT.has(method) ? [['Content-Length', String(length)]] : [];
}
