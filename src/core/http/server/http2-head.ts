import type { OutgoingHttpHeaders } from 'node:http2';
import type { HeaderList, HeaderPair } from '../messages.js';
import type { ServerLimits } from '../server-types.js';
import { METHODS } from './grammar.js';
import { bodyLimit } from './limits.js';
import { CHUNKED, type Head, isAuthority } from './parse-head.js';
import type { ServerRequest } from './request.js';
import { Refusal } from './status.js';

/** The head of a request on an HTTP/2 stream, in the same terms as any other (RFC 9113, section 8.3.1). */
export function readHttp2Head(rawHeaders: readonly string[], hasBody: boolean): Head {
  const all = toPairs(rawHeaders);
  const find = (name: string) => all.find(([key]) => key === name)?.[1];
  const fields = all.filter(([name]) => !name.startsWith(':'));
  const authority = find(':authority');
  const hosts = fields.filter(([name]) => name === 'host').map(([, value]) => value);
  // Two Host fields, or one that contradicts the authority, could be read in two ways.
  const isOne = hosts.length < 2 && (authority === undefined || (hosts[0] ?? authority) === authority);
  const headers: HeaderPair[] =
    authority === undefined ? fields : [['host', authority], ...fields.filter(([name]) => name !== 'host')];
  return {
    method: find(':method') ?? '',
    target: find(':path') ?? '',
    version: '2',
    fields: {
      source: '',
      headers,
      host: isOne ? (authority ?? hosts[0]) : undefined,
      contentLength: find('content-length'),
      transferEncoding: undefined,
      connection: '',
      expect: find('expect')?.toLowerCase(),
      upgrade: undefined,
    },
    length: hasBody ? CHUNKED : 0,
    keepAlive: true,
    end: 0,
  };
}

/** Why a request is not answered by the handler; what HTTP/2 itself forbids, nghttp2 has refused. */
export function refuseHttp2(request: ServerRequest, limits: ServerLimits): Refusal | undefined {
  const { method, target, fields } = request.head;
  if (method === 'CONNECT') return new Refusal(501, 'CONNECT is for proxies');
  if (target.length > limits.maxTargetBytes) return new Refusal(414, 'the request target is too long');
  if (!isAuthority(fields.host ?? '')) return new Refusal(400, 'the authority is malformed');
  const isPath = target.startsWith('/') || (target === '*' && method === 'OPTIONS');
  if (!isPath || !request.hasPath) return new Refusal(400, 'the path is malformed');
  if (!METHODS.has(method)) return new Refusal(501, 'unknown method');
  const isLarge = Number(fields.contentLength ?? 0) > bodyLimit(limits, request);
  return isLarge ? new Refusal(413, 'the body is too large') : undefined;
}

/** Names and values in turn, as pairs. */
export function toPairs(raw: readonly string[]): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
  return pairs;
}

/** Fields in node:http2's shape; those about a connection have no place in HTTP/2 (RFC 9113, section 8.2.2). */
export function toHttp2(headers: HeaderList): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = Object.create(null);
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (/^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|content-length)$/.test(key))
      continue;
    const known = fields[key];
    const text = withoutMargin(value);
    fields[key] = known === undefined ? text : [known, text].flat().map(String);
  }
  return fields;
}

/**
 * What is no part of a value, though HTTP/1.1 lets it stand around one: in HTTP/2 it makes the field malformed, and
 * clients drop it (RFC 9113, section 8.2.1). Cookies of Python's http.cookies begin with a space, Django's among them.
 */
function withoutMargin(value: string): string {
  let [start, end] = [0, value.length];
  while (start < end && isMargin(value.charCodeAt(start))) start++;
  while (end > start && isMargin(value.charCodeAt(end - 1))) end--;
  return end - start === value.length ? value : value.slice(start, end);
}

function isMargin(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
