import type { IsTrusted } from '../../http/forwarded.js';
import { getHeader } from '../../http/headers.js';
import type { IncomingRequest } from '../../http/messages.js';
import { encodersByTrust } from './header-fields.js';

/** What belongs to the connection. `Connection` and `Upgrade` stay: WebSocket applications look at them. */
const UNFIT = new Set([
  'keep-alive',
  'proxy',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
]);

const encoders = encodersByTrust({
  rename: (name) => (UNFIT.has(name) || name.includes('_') ? undefined : name),
  joiner: () => undefined,
});

/**
 * What an ASGI scope is made of, NUL between the fields: thirteen fixed ones, then header names and values. Undefined
 * when a value cannot be carried.
 */
export function encodeScope(
  request: IncomingRequest,
  rootPath: string,
  isTrusted: IsTrusted,
): string | undefined {
  const { rawPath, query, localAddress, tls } = request;
  const headers = encoders(isTrusted(request.peerAddress)).encode(request.headers);
  if (headers === undefined || rawPath.includes('\0') || query.includes('\0')) return undefined;
  const root = rootPath === '' ? '' : Buffer.from(rootPath, 'utf8').toString('latin1');
  return (
    `${request.method}\0${request.httpVersion}\0${request.scheme}\0${rawPath}\0${query}\0${root}` +
    `\0${request.remoteAddress}\0${request.remotePort}` +
    `\0${localAddress === '' ? 'localhost' : localAddress}\0${request.localPort || ''}` +
    `\0${abilities(request, headers)}\0${tls?.protocol ?? ''}\0${tls?.cipher ?? ''}${headers}`
  );
}

/** What can be sent beside the answer: `h` early hints, `t` trailers. */
function abilities(request: IncomingRequest, headers: string): string {
  if (request.httpVersion === '1.0') return '';
  const takesTrailers =
    headers.includes('\0te\0') && getHeader(request.headers, 'te')?.includes('trailers') === true;
  return `${request.earlyHints === undefined ? '' : 'h'}${takesTrailers ? 't' : ''}`;
}
