import type { IsTrusted } from '../../http/forwarded.js';
import type { IncomingRequest } from '../../http/messages.js';
import { encodersByTrust } from './header-fields.js';
import { splitMount } from './mount.js';

/**
 * Left out: what belongs to the connection and is settled here; and `Proxy`, which as HTTP_PROXY would be taken for
 * configuration (httpoxy, CVE-2016-5385).
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

const encoders = encodersByTrust({
  rename(name) {
    // Anything but letters, digits and hyphens could pose as another field: `X_A` as `X-A`.
    if (!/^[a-z0-9-]+$/.test(name) || UNFIT.has(name)) return undefined;
    const upper = name.toUpperCase().replaceAll('-', '_');
    return name === 'content-type' ? upper : `HTTP_${upper}`;
  },
  // RFC 9110, section 5.3; cookies by RFC 6265, section 4.2.1.
  joiner: (field) => (field === 'HTTP_COOKIE' ? '; ' : ', '),
});

/** What the environ says beside the request itself. */
export interface EnvironOptions {
  readonly prefix: string;
  /** What a proxy in front has taken off the path. */
  readonly rootPath: string;
  /** Whose forwarded fields the application sees. */
  readonly isTrusted: IsTrusted;
  /** Undefined without content. */
  readonly contentLength: number | undefined;
}

/** The environ entries of a request (PEP 3333), as `key NUL value NUL key…`; undefined when a value cannot be carried. */
export function encodeEnviron(request: IncomingRequest, options: EnvironOptions): string | undefined {
  const { rawPath, query, httpVersion, localAddress, scheme } = request;
  const headers = encoders(options.isTrusted(request.peerAddress)).encode(request.headers);
  if (headers === undefined || rawPath.includes('\0') || query.includes('\0')) return undefined;
  const { prefix, rest } = splitMount(options.prefix, rawPath, options.prefix === '' ? '' : request.path);
  const { target } = request;
  // As it was sent; an absolute one without what is not the path's.
  const uri = target.startsWith('/') ? target : query === '' ? rawPath : `${rawPath}?${query}`;
  const protocol = httpVersion === '2' ? 'HTTP/2' : `HTTP/${httpVersion}`;
  const port = request.localPort || (scheme === 'https' ? 443 : 80);
  let extra = request.requestId === undefined ? '' : `\0nettool.request_id\0${request.requestId}`;
  const { user } = request;
  if (user !== undefined) extra += `\0AUTH_TYPE\0Basic\0REMOTE_USER\0${toLatin1(user)}`;
  if (scheme === 'https') extra += '\0HTTPS\0on';
  const script = options.rootPath + prefix;
  if (script !== '') extra += `\0SCRIPT_NAME\0${toLatin1(script)}`;
  if (options.contentLength !== undefined) extra += `\0CONTENT_LENGTH\0${options.contentLength}`;
  return (
    `REQUEST_METHOD\0${request.method}\0PATH_INFO\0${rest === '' && prefix === '' ? '/' : rest}` +
    `\0QUERY_STRING\0${query}\0REQUEST_URI\0${uri}\0RAW_URI\0${uri}\0SERVER_PROTOCOL\0${protocol}` +
    `\0SERVER_NAME\0${nameOf(localAddress)}\0SERVER_PORT\0${port}` +
    `\0REMOTE_ADDR\0${request.remoteAddress}\0REMOTE_PORT\0${request.remotePort}` +
    `\0wsgi.url_scheme\0${scheme}${extra}${headers}`
  );
}

/** Never empty (PEP 3333), also on a Unix socket; IPv6 in brackets, as in a URL. */
function nameOf(address: string): string {
  if (address === '') return 'localhost';
  return address.includes(':') ? `[${address}]` : address;
}

function toLatin1(text: string): string {
  return /[^\0-\x7f]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}
