import { forwardedHeaders, type IsTrusted, isForwardedField } from '../../http/forwarded.js';
import { connectionNames, HOP_BY_HOP } from '../../http/hop-by-hop.js';
import type { HeaderPair, IncomingRequest } from '../../http/messages.js';

/** How the head of a request goes on to an upstream. */
export interface RequestHeadOptions {
  readonly target: string;
  /** Replaces the client's Host. */
  readonly host: string | undefined;
  /** Stands in where the client sent none. */
  readonly authority: string;
  readonly isTrusted: IsTrusted;
  /** What was cut off the path. */
  readonly cutPrefix: string;
  /** How the content is framed: its length, chunks, or none at all. */
  readonly content: number | 'chunked' | undefined;
  /** Ask for another protocol. */
  readonly upgrade?: string | undefined;
}

/** Our name in `Via` (RFC 9110, section 7.6.3). */
export const VIA_NAME = 'nettool';

/** Written anew for the next hop: framing, who stands before, where to. */
const REPLACED = new Set(['host', 'content-length', 'expect', 'via', 'x-forwarded-prefix']);

/** The head of a request for an upstream: what is of one connection only stays here, the rest goes on as it came. */
export function requestHead(request: IncomingRequest, options: RequestHeadOptions): string {
  const { headers, httpVersion } = request;
  const { target, host, authority, content, upgrade, cutPrefix } = options;
  const named = connectionNames(headers);
  let clientHost: string | undefined;
  let cookies = '';
  let wantsTrailers = false;
  let via = '';
  let fields = '';
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key === 'host') clientHost ??= value;
    else if (key === 'via') via += `${value}, `;
    else if (key === 'te') wantsTrailers ||= /(?:^|,)\s*trailers\s*(?:,|;|$)/i.test(value);
    else if (HOP_BY_HOP.has(key) || REPLACED.has(key) || named.has(key) || isForwardedField(key)) continue;
    // HTTP/2 may have cut the list into pieces (RFC 9113, section 8.2.3).
    else if (key === 'cookie' && httpVersion === '2') cookies += cookies === '' ? value : `; ${value}`;
    else fields += `${name}: ${value}\r\n`;
  }
  let head = `${request.method} ${target} HTTP/1.1\r\nHost: ${host ?? clientHost ?? authority}\r\n${fields}`;
  if (cookies !== '') head += `Cookie: ${cookies}\r\n`;
  for (const [name, value] of forwardedHeaders(request, options.isTrusted)) head += `${name}: ${value}\r\n`;
  if (cutPrefix !== '') head += `X-Forwarded-Prefix: ${cutPrefix}\r\n`;
  head += `Via: ${via}${httpVersion} ${VIA_NAME}\r\n`;
  if (content === 'chunked') head += 'Transfer-Encoding: chunked\r\n';
  else if (content !== undefined) head += `Content-Length: ${content}\r\n`;
  if (upgrade !== undefined) head += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  else if (wantsTrailers) head += 'Connection: TE\r\nTE: trailers\r\n';
  return `${head}\r\n`;
}

/** The fields of a reply that the client gets; a `Location` within the upstream is one within us. */
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
    else kept.push(pair);
  }
  return kept;
}

/** How often a request has been through us already. */
export function countHops(request: IncomingRequest): number {
  let hops = 0;
  for (const [name, value] of request.headers) {
    if (name.length === 3 && name.toLowerCase() === 'via') hops += value.split(VIA_NAME).length - 1;
  }
  return hops;
}
