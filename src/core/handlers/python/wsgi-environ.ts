import type { IncomingRequest } from '../../http/messages.js';
import { splitMount } from './mount.js';

/**
 * Header names as environ keys. Left out: what belongs to the connection and is settled here; `Proxy` (httpoxy,
 * CVE-2016-5385); and names with anything but letters, digits and hyphens, which could pose as another field.
 */
const UNFIT = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const keys = new Map<string, string | undefined>();
const MAX_KEYS = 1000;

function environKey(name: string): string | undefined {
  const known = keys.get(name);
  if (known !== undefined || keys.has(name)) return known;
  const lower = name.toLowerCase();
  const isFit = /^[a-z0-9-]+$/.test(lower) && !UNFIT.has(lower);
  const upper = name.toUpperCase().replaceAll('-', '_');
  const key = !isFit ? undefined : lower === 'content-type' ? upper : `HTTP_${upper}`;
  if (keys.size < MAX_KEYS) keys.set(name, key);
  return key;
}

/** What the environ says about a request's content: its length once it is known. */
export interface EnvironOptions {
  readonly prefix: string;
  /** Undefined without content. */
  readonly contentLength: number | undefined;
}

/** The environ entries of a request (PEP 3333), as `key NUL value NUL key…`; undefined when a value cannot be carried. */
export function encodeEnviron(request: IncomingRequest, options: EnvironOptions): string | undefined {
  const { prefix, rest } = splitMount(
    options.prefix,
    request.rawPath,
    options.prefix === '' ? '' : request.path,
  );
  const { query, httpVersion, localAddress } = request;
  const uri = query === '' ? request.rawPath : `${request.rawPath}?${query}`;
  const fields: string[] = [
    'REQUEST_METHOD',
    request.method,
    'PATH_INFO',
    rest === '' && prefix === '' ? '/' : rest,
    'QUERY_STRING',
    query,
    'REQUEST_URI',
    uri,
    'RAW_URI',
    uri,
    'SERVER_PROTOCOL',
    httpVersion === '2' ? 'HTTP/2' : `HTTP/${httpVersion}`,
    'SERVER_NAME',
    localAddress === '' ? 'localhost' : localAddress.includes(':') ? `[${localAddress}]` : localAddress,
    'SERVER_PORT',
    String(request.localPort || (request.scheme === 'https' ? 443 : 80)),
    'REMOTE_ADDR',
    request.remoteAddress,
    'REMOTE_PORT',
    String(request.remotePort),
    'wsgi.url_scheme',
    request.scheme,
  ];
  if (request.scheme === 'https') fields.push('HTTPS', 'on');
  if (prefix !== '') fields.push('SCRIPT_NAME', toLatin1(prefix));
  if (options.contentLength !== undefined) fields.push('CONTENT_LENGTH', String(options.contentLength));
  addHeaders(fields, request);
  const head = fields.join('\0');
  // A NUL would shift every field behind it; parsers refuse one, this makes sure.
  return countNuls(head) === fields.length - 1 ? head : undefined;
}

function addHeaders(fields: string[], request: IncomingRequest): void {
  const first = fields.length;
  for (const [name, value] of request.headers) {
    const key = environKey(name);
    if (key === undefined) continue;
    const at = fields.indexOf(key, first);
    if (at === -1) fields.push(key, value);
    // RFC 9110, section 5.3; cookies by RFC 6265, section 4.2.1.
    else if (key !== 'CONTENT_TYPE') fields[at + 1] += key === 'HTTP_COOKIE' ? `; ${value}` : `, ${value}`;
  }
}

function toLatin1(text: string): string {
  return /[^\0-\x7f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

function countNuls(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\0'); at !== -1; at = text.indexOf('\0', at + 1)) count++;
  return count;
}
