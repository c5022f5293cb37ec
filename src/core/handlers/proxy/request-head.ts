import { forwardedHeaders, type IsTrusted, isForwardedField } from '../../http/forwarded.js';
import { connectionNames, HOP_BY_HOP } from '../../http/hop-by-hop.js';
import type { HeaderList, IncomingRequest } from '../../http/messages.js';
import { upstreamDestination } from './location.js';
import type { ProxySettings } from './options.js';
import type { UpstreamUrl } from './upstream-url.js';

/** What of the head of a request is its own. */
export interface RequestParts {
  readonly target: string;
  /** How the content is framed: its length, chunks, or none at all. */
  readonly content: number | 'chunked' | undefined;
  /** Ask for another protocol. */
  readonly upgrade: string | undefined;
}

/** Writes the head of a request for an upstream. */
export type WriteHead = (request: IncomingRequest, parts: RequestParts) => string;

/** Field lines, and what they were made of beside the client's fields. */
interface KeptLines {
  readonly text: string;
  readonly httpVersion: string;
  readonly peerAddress: string;
  readonly content: RequestParts['content'];
}

/** Our name in `Via` (RFC 9110, section 7.6.3). */
const VIA_NAME = 'nettool';

/** Written anew for the next hop: framing, who stands before, where to. */
const REPLACED = new Set(['host', 'content-length', 'expect', 'via', 'x-forwarded-prefix']);

/**
 * Makes the function that writes the heads of requests for an upstream: what is of one connection only stays here, the
 * rest goes on as it came.
 */
export function createHeadWriter(url: UpstreamUrl, settings: ProxySettings): WriteHead {
  const { upstreamHost, isTrusted, prefix } = settings;
  const host = upstreamHost === true ? url.authority : upstreamHost;
  const place: Place = { url, host, isTrusted, prefix };
  const kept = new WeakMap<HeaderList, KeptLines>();
  return (request, { target, content, upgrade }) => {
    const { method, headers, httpVersion, peerAddress } = request;
    const comesAgain = upgrade === undefined && Object.isFrozen(headers);
    let lines = comesAgain ? kept.get(headers) : undefined;
    if (
      lines === undefined ||
      lines.content !== content ||
      lines.peerAddress !== peerAddress ||
      lines.httpVersion !== httpVersion
    ) {
      lines = { text: fieldLines(request, place, content, upgrade), httpVersion, peerAddress, content };
      if (comesAgain) kept.set(headers, lines);
    }
    return `${method} ${target} HTTP/1.1\r\n${lines.text}`;
  };
}

/** What all requests for an upstream have in common. */
interface Place {
  readonly url: UpstreamUrl;
  /** Replaces the client's Host. */
  readonly host: string | undefined;
  readonly isTrusted: IsTrusted;
  readonly prefix: string;
}

/** The fields of a request for an upstream, and the empty line after them. */
function fieldLines(
  request: IncomingRequest,
  { url, host, isTrusted, prefix }: Place,
  content: RequestParts['content'],
  upgrade: string | undefined,
): string {
  const { headers, httpVersion } = request;
  const named = connectionNames(headers);
  let clientHost: string | undefined;
  let cookies = '';
  let wantsTrailers = false;
  let via = '';
  let destination: string | undefined;
  let fields = '';
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key === 'host') clientHost ??= value;
    else if (key === 'via') via += `${value}, `;
    else if (key === 'destination') destination = value;
    else if (key === 'te') wantsTrailers ||= /(?:^|,)\s*trailers\s*(?:,|;|$)/i.test(value);
    else if (HOP_BY_HOP.has(key) || REPLACED.has(key) || named.has(key) || isForwardedField(key)) continue;
    // HTTP/2 may have cut the list into pieces (RFC 9113, section 8.2.3).
    else if (key === 'cookie' && httpVersion === '2') cookies += cookies === '' ? value : `; ${value}`;
    else fields += `${name}: ${value}\r\n`;
  }
  const hostForUpstream = host ?? clientHost ?? url.authority;
  let lines = `Host: ${hostForUpstream}\r\n${fields}`;
  if (destination !== undefined) {
    const rules = { ...url, site: clientHost, host: hostForUpstream, prefix };
    lines += `Destination: ${upstreamDestination(destination, rules)}\r\n`;
  }
  if (cookies !== '') lines += `Cookie: ${cookies}\r\n`;
  for (const [name, value] of forwardedHeaders(request, isTrusted)) lines += `${name}: ${value}\r\n`;
  if (url.basePath !== undefined && prefix !== '') lines += `X-Forwarded-Prefix: ${prefix}\r\n`;
  lines += `Via: ${via}${httpVersion} ${VIA_NAME}\r\n`;
  if (content === 'chunked') lines += 'Transfer-Encoding: chunked\r\n';
  else if (content !== undefined) lines += `Content-Length: ${content}\r\n`;
  if (upgrade !== undefined) lines += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  else if (wantsTrailers) lines += 'Connection: TE\r\nTE: trailers\r\n';
  return `${lines}\r\n`;
}

/** How often a request has been through us already. */
export function countHops(request: IncomingRequest): number {
  let hops = 0;
  for (const [name, value] of request.headers) {
    if (name.length === 3 && name.toLowerCase() === 'via') hops += value.split(VIA_NAME).length - 1;
  }
  return hops;
}
