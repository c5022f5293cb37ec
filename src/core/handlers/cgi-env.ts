import { isIPv6 } from 'node:net';
import { isForwardedField } from '../http/forwarded.js';
import { connectionNames, HOP_BY_HOP } from '../http/hop-by-hop.js';
import type { HeaderList, IncomingRequest } from '../http/messages.js';

/** Which script a request is for. Paths are decoded, a character per byte (latin1). One that comes again is frozen. */
export interface ScriptPlace {
  /** The part of the path that leads to the script: `/cgi-bin/hello.sh`. */
  readonly scriptName: string;
  /** What follows it; empty or begins with `/`. */
  readonly pathInfo: string;
  /** The script's file, as the one who runs it sees it. */
  readonly scriptFilename?: string;
  readonly documentRoot?: string;
}

/** What of a request the application may see. */
export interface ClientEnvOptions {
  /** Pass `Authorization` on. RFC 3875, section 4.1.18, warns of it for CGI; applications expect it elsewhere. */
  readonly passAuthorization?: boolean;
  /** Pass `X-Forwarded-*` and their like on: the peer is trusted. */
  readonly keepForwarded?: boolean;
}

/** What the application gets to know. */
export interface CgiEnvOptions extends ClientEnvOptions {
  /** The exact size of the body; undefined when there is none. */
  readonly bodyBytes?: number | undefined;
}

export const SERVER_SOFTWARE = 'nettool';

/** Not only hop-by-hop: fields that have a variable of their own, or must never become one. */
const WITHHELD: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  'content-length',
  'content-type',
  'expect',
  // `Proxy: http://evil/` would become HTTP_PROXY, which many an HTTP client obeys (CVE-2016-5385, httpoxy).
  'proxy',
  'trailer',
]);

/** Variables by name; values are strings with a character per byte. */
export type Variables = Record<string, string>;

/**
 * The variables of RFC 3875, section 4.1, and those everybody expects beside them. The query is as it was sent, the
 * paths are decoded.
 */
export function cgiVariables(
  request: IncomingRequest,
  place: ScriptPlace,
  options: CgiEnvOptions = {},
): Variables {
  return {
    ...clientVariables(request, options),
    ...placeVariables(place),
    ...requestVariables(request, options),
  };
}

/** Those that the requests of a connection have in common as long as their header fields are the same. */
export function clientVariables(request: IncomingRequest, options: ClientEnvOptions): Variables {
  const variables: Variables = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE,
    SERVER_PROTOCOL: request.httpVersion === '2' ? 'HTTP/2.0' : `HTTP/${request.httpVersion}`,
    SERVER_NAME: serverName(request),
    SERVER_PORT: serverPort(request),
    SERVER_ADDR: request.localAddress,
    REMOTE_ADDR: request.remoteAddress,
    REMOTE_PORT: String(request.remotePort),
    REQUEST_SCHEME: request.scheme,
    // php-cgi and php-fpm refuse to run a script that a server did not send them to.
    REDIRECT_STATUS: '200',
  };
  if (request.scheme === 'https') variables.HTTPS = 'on';
  addFields(variables, request.headers, options);
  return variables;
}

/** Those that say which script it is. */
export function placeVariables({
  scriptName,
  pathInfo,
  scriptFilename,
  documentRoot,
}: ScriptPlace): Variables {
  const variables: Variables = { SCRIPT_NAME: scriptName, PATH_INFO: pathInfo };
  if (scriptFilename !== undefined) variables.SCRIPT_FILENAME = scriptFilename;
  if (documentRoot === undefined) return variables;
  variables.DOCUMENT_ROOT = documentRoot;
  if (pathInfo !== '') variables.PATH_TRANSLATED = documentRoot + pathInfo;
  return variables;
}

/** Those of one request alone. */
export function requestVariables(request: IncomingRequest, { bodyBytes }: CgiEnvOptions): Variables {
  const variables: Variables = {
    REQUEST_METHOD: request.method,
    REQUEST_URI: requestUri(request),
    QUERY_STRING: request.query,
  };
  if (bodyBytes !== undefined) variables.CONTENT_LENGTH = String(bodyBytes);
  const { user } = request;
  if (user === undefined) return variables;
  variables.AUTH_TYPE = 'Basic';
  variables.REMOTE_USER = Buffer.from(user, 'utf8').toString('latin1');
  return variables;
}

/** `HTTP_*`, and CONTENT_TYPE; repeated fields joined (RFC 3875, section 4.1.18). */
function addFields(variables: Variables, headers: HeaderList, options: ClientEnvOptions): void {
  const named = connectionNames(headers);
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key === 'content-type') {
      variables.CONTENT_TYPE ??= value;
      continue;
    }
    // `X_Real_IP` and `X-Real-IP` would be one variable: only the spelling that is unambiguous is let through.
    if (WITHHELD.has(key) || named.has(key) || !/^[a-z0-9-]+$/.test(key)) continue;
    if (key === 'authorization' && options.passAuthorization !== true) continue;
    if (options.keepForwarded !== true && isForwardedField(key)) continue;
    const variable = `HTTP_${key.replaceAll('-', '_').toUpperCase()}`;
    const known = variables[variable];
    // Cookies are pieces of one list that `;` separates (RFC 9113, section 8.2.3).
    variables[variable] = known === undefined ? value : `${known}${key === 'cookie' ? '; ' : ', '}${value}`;
  }
}

/** Where the client asked. A proxy that speaks TLS for us has it at another port than ours: the URL's, or the usual one. */
function serverPort(request: IncomingRequest): string {
  const { scheme, tls, localPort } = request;
  const usual = scheme === 'https' ? 443 : 80;
  if ((scheme === 'https') === (tls !== undefined)) return String(localPort || usual);
  return /:(\d+)$/.exec(hostOf(request))?.[1] ?? String(usual);
}

/** The host the client asked for, without port; IPv6 in brackets (RFC 3875, section 4.1.14). Never empty. */
function serverName(request: IncomingRequest): string {
  const name = /^(\[[0-9a-f:.]+\]|[^:[\]\s/]+)(?::\d*)?$/i.exec(hostOf(request))?.[1];
  if (name !== undefined) return name;
  const address = request.localAddress;
  if (address === '') return 'localhost';
  return isIPv6(address) ? `[${address}]` : address;
}

function hostOf({ headers }: IncomingRequest): string {
  return headers.find(([name]) => name.length === 4 && name.toLowerCase() === 'host')?.[1] ?? '';
}

/** Path and query as sent, also where the request named a whole URL. */
function requestUri({ rawPath, query, target }: IncomingRequest): string {
  return query === '' && !target.endsWith('?') ? rawPath : `${rawPath}?${query}`;
}
