import type { IsTrusted } from '../../http/forwarded.js';
import { getHeader } from '../../http/headers.js';
import type { HeaderList, IncomingRequest } from '../../http/messages.js';
import { encodersByTrust } from './header-fields.js';

/** What belongs to the connection. `Connection` and `Upgrade` stay: WebSocket applications look at them. */
const UNFIT = new Set([
  'keep-alive',
  'proxy',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
]);

/** Longer ones are not kept. */
const MAX_KEPT = 4096;

const encoders = encodersByTrust({
  rename: (name) => (UNFIT.has(name) || name.includes('_') ? undefined : name),
  joiner: () => undefined,
});

/** A request as it travels, to become an ASGI scope: both parts are fields with NUL between them. */
export interface EncodedScope {
  /** What is the request's own: method, path, query. */
  readonly lead: string;
  /** What it has in common with others of its connection: both ends, the header fields. */
  readonly head: string;
}

/** Where an application stands, and whom it believes. */
export interface ScopePlace {
  readonly prefix: string;
  /** What a proxy in front has taken off the path; it is put there again, as `path` begins with `root_path`. */
  readonly rootPath: string;
  readonly isTrusted: IsTrusted;
}

interface Origin {
  readonly place: ScopePlace;
  readonly httpVersion: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly head: string;
}

/** By header list: a connection whose client repeats its fields hands out the same one again. */
const origins = new WeakMap<HeaderList, Origin>();

/** Undefined when a value cannot be carried. */
export function encodeScope(request: IncomingRequest, place: ScopePlace): EncodedScope | undefined {
  const { method, rawPath, query } = request;
  const head = encodeOrigin(request, place);
  if (head === undefined || rawPath.includes('\0') || query.includes('\0')) return undefined;
  const { rootPath } = place;
  const whole = rootPath === '' || rawPath === '*' ? rawPath : encodeURI(rootPath) + rawPath;
  return { lead: `${method}\0${whole}\0${query}`, head };
}

function encodeOrigin(request: IncomingRequest, place: ScopePlace): string | undefined {
  const { headers, httpVersion, remoteAddress, remotePort } = request;
  const known = origins.get(headers);
  if (
    known !== undefined &&
    known.remotePort === remotePort &&
    known.remoteAddress === remoteAddress &&
    known.httpVersion === httpVersion &&
    known.place === place
  ) {
    return known.head;
  }
  const { localAddress, tls } = request;
  const { isTrusted } = place;
  const prefix = place.rootPath + place.prefix;
  const fields = encoders(isTrusted(request.peerAddress)).encode(headers);
  if (fields === undefined) return undefined;
  const root = prefix === '' ? '' : Buffer.from(prefix, 'utf8').toString('latin1');
  const head =
    `${httpVersion}\0${request.scheme}\0${root}\0${remoteAddress}\0${remotePort}` +
    `\0${localAddress === '' ? 'localhost' : localAddress}\0${request.localPort || ''}` +
    `\0${abilities(request, fields)}\0${tls?.protocol ?? ''}\0${tls?.cipher ?? ''}${fields}`;
  if (head.length <= MAX_KEPT) origins.set(headers, { place, httpVersion, remoteAddress, remotePort, head });
  return head;
}

/** What can be sent beside the answer: `h` early hints, `t` trailers. */
function abilities(request: IncomingRequest, headers: string): string {
  if (request.httpVersion === '1.0') return '';
  const takesTrailers =
    headers.includes('\0te\0') && getHeader(request.headers, 'te')?.includes('trailers') === true;
  return `${request.earlyHints === undefined ? '' : 'h'}${takesTrailers ? 't' : ''}`;
}
