import { NettoolError } from '../errors.js';
import { getHeader, hasHeader, withoutHeader } from './headers.js';
import type { HeaderList, HeaderPair, OutgoingRequest } from './messages.js';

/** The head of a request as it goes over the wire. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly httpVersion: '1.1' | '2';
}

/** What the way a request takes does to its head. */
export interface HeadOptions {
  /** The whole URL is the target, as a proxy wants it (RFC 9112, section 3.2.2). */
  readonly viaProxy?: boolean;
  readonly proxyAuthorization?: string | undefined;
}

/** Methods whose requests say that they have no content (RFC 9110, section 8.6). */
const EXPECTS_CONTENT = new Set(['POST', 'PUT', 'PATCH']);

/** What the framing and the connection decide, and nobody else (RFC 9112, sections 6 and 9; RFC 9110, 10.1.1). */
const OURS = new Set(['transfer-encoding', 'upgrade', 'expect', 'keep-alive', 'te', 'trailer']);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** What the client sends for a request, the fields that the connection and the framing add included. */
export function toRequestHead(request: OutgoingRequest, options: HeadOptions = {}): RequestHead {
  const { method, url, headers } = request;
  if (!TOKEN.test(method)) throw new NettoolError('USAGE', 'cannot send this request (a bad method)');
  for (const [name, value] of headers) checkField(name, value);
  const host: HeaderPair[] = hasHeader(headers, 'host') ? [] : [['Host', url.host]];
  const connection: HeaderPair[] = hasHeader(headers, 'connection') ? [] : [['Connection', 'keep-alive']];
  const { proxyAuthorization } = options;
  const login: HeaderPair[] =
    proxyAuthorization === undefined ? [] : [['Proxy-Authorization', proxyAuthorization]];
  const path = `${url.pathname}${url.search}`;
  const target = options.viaProxy === true ? `${url.origin}${path}` : path;
  const framing = toFraming(request);
  const sent = framing.length > 0 ? withoutHeader(headers, 'content-length') : headers;
  return {
    method,
    target,
    httpVersion: '1.1',
    headers: [...host, ...connection, ...login, ...sent, ...framing],
  };
}

/** The head as the bytes that are written. */
export function encodeHead({ method, target, headers }: RequestHead): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'utf8');
}

/** How many bytes a request's body has; `undefined` when that is not known. */
export function sizeOf(request: OutgoingRequest): number | undefined {
  const { body, headers } = request;
  if (body === undefined) return 0;
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.byteLength(body);
  if ('sizeBytes' in body && body.sizeBytes !== undefined) return body.sizeBytes;
  const given = getHeader(headers, 'content-length');
  return given !== undefined && /^\d{1,15}$/.test(given) ? Number(given) : undefined;
}

function toFraming(request: OutgoingRequest): HeaderPair[] {
  const length = sizeOf(request);
  if (length === undefined) return [['Transfer-Encoding', 'chunked']];
  const given = getHeader(request.headers, 'content-length');
  if (given !== undefined && given !== String(length)) {
    throw new NettoolError('USAGE', 'the body is not as long as its Content-Length says');
  }
  return length > 0 || EXPECTS_CONTENT.has(request.method) ? [['Content-Length', String(length)]] : [];
}

/** The last guard against request splitting, whatever the fields come from. */
function checkField(name: string, value: string): void {
  if (OURS.has(name.toLowerCase())) {
    throw new NettoolError('USAGE', `cannot send this request (${name} is not for you to set)`);
  }
  if (TOKEN.test(name) && !/[\0-\x08\x0a-\x1f\x7f]/.test(value)) return;
  throw new NettoolError(
    'USAGE',
    `cannot send this request (the header field '${name.slice(0, 80)}' is not valid)`,
  );
}
