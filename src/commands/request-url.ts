import { isIP } from 'node:net';
import { NettoolError } from '../core/errors.js';

/** C0, DEL and C1: the URL standard would silently take some of them out. */
const CONTROL = /[\0-\x1f\x7f-\x9f]/;

const UNIX_HINT = 'a socket is given by --unix-socket PATH, beside http://localhost/…';

const ZONED = /^((?:[a-z]+:\/\/)?(?:[^/?#]*@)?\[)([0-9a-f:.]+)%(?:25)?([^\]/?#\s,]+)(\].*)$/i;

/**
 * The URL a person typed: `http://` when no scheme is there, `localhost` when no host is (`:3000/x`).
 * Only http and https; control characters are refused rather than cleaned away.
 */
export function parseRequestUrl(typed: string): URL {
  if (CONTROL.test(typed)) throw badUrl(typed, 'it holds a control character');
  const text = typed.trim();
  // One slash is a slip that the URL standard forgives.
  const scheme = /^(https?(?=:\/)|[a-z][a-z0-9+.-]*(?=:\/\/))/i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    const hint = scheme.includes('unix') ? UNIX_HINT : undefined;
    throw badUrl(typed, `only http and https are spoken here, not ${scheme}`, hint);
  }
  const address = /^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*/i.exec(text)?.[0];
  if (address !== undefined && isIP(address) === 6) {
    throw badUrl(
      typed,
      'an IPv6 address stands in brackets',
      `did you mean [${address}]${text.slice(address.length)}?`,
    );
  }
  const whole = scheme === undefined ? `http://${withHost(text)}` : text;
  // The URL standard would take the first part of the path for the host.
  if (/^[a-z]+:[/\\]{3}/i.test(whole)) throw badUrl(typed, 'it names no host');
  const url = URL.parse(whole);
  if (url === null) throw badUrl(typed, describeFault(text));
  return url;
}

/**
 * `http://[fe80::1%25eth0]/` (RFC 6874; a bare `%` will do): a URL has no place for the zone of a link-local address,
 * so it comes apart, as a `--resolve` of the address without it.
 */
export function takeZone(typed: string): { readonly url: string; readonly resolve?: string } {
  const [, before = '', address = '', zone, behind = ''] = ZONED.exec(typed) ?? [];
  if (zone === undefined) return { url: typed };
  const url = `${before}${address}${behind}`;
  const { hostname, port, protocol } = parseRequestUrl(url);
  return { url, resolve: `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}:[${address}%${zone}]` };
}

/** The URL with parameters behind those it has, which stay as they were typed. */
export function withParams(url: URL, params: ReadonlyArray<readonly [name: string, value: string]>): URL {
  if (params.length === 0) return url;
  const added = params.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  const extended = new URL(url);
  const typed = url.search === '' ? [] : [url.search.slice(1)];
  extended.search = [...typed, ...added].join('&');
  return extended;
}

/** `//host` is a URL without its scheme, `:3000/x` and `/x` one without its host. */
function withHost(text: string): string {
  if (text.startsWith('//')) return text.slice(2);
  if (/^:\d/.test(text)) return `localhost${text}`;
  if (text.startsWith(':')) return `localhost${text.slice(1)}`;
  return text.startsWith('/') ? `localhost${text}` : text;
}

function describeFault(text: string): string {
  const port = /^(?:[a-z][a-z0-9+.-]*:\/\/)?[^/?#]*:([^/?#:\]]+)(?:[/?#]|$)/i.exec(text)?.[1];
  if (port !== undefined && !(Number(port) <= 65_535)) return `'${port}' is not a port (0-65535)`;
  return 'it is not a URL';
}

function badUrl(typed: string, why: string, hint?: string): NettoolError {
  // A password may stand in it, and need not look like one without its scheme.
  const shown = typed.replace(/^([^/?#]*:\/\/)?[^/?#]*@/, '$1***@');
  return new NettoolError('USAGE', `bad URL '${shown}': ${why}`, { hint });
}
