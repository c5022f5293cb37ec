import type { IncomingRequest } from '../../http/messages.js';

/** Lower-case header names; undefined for what belongs to the connection or is not to reach an application. */
const names = new Map<string, string | undefined>();
const MAX_NAMES = 1000;
/** `Connection` and `Upgrade` stay: WebSocket applications look at them. */
const UNFIT = new Set([
  'keep-alive',
  'proxy',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
]);

function scopeName(name: string): string | undefined {
  const known = names.get(name);
  if (known !== undefined || names.has(name)) return known;
  const lower = name.toLowerCase();
  const fit = UNFIT.has(lower) || lower.includes('_') ? undefined : lower;
  if (names.size < MAX_NAMES) names.set(name, fit);
  return fit;
}

/** How many fields stand before the headers. */
export const FIXED_FIELDS = 13;

/**
 * What an ASGI scope is made of, NUL between the fields: the fixed ones, then header names and values. Undefined when
 * a value cannot be carried.
 */
export function encodeScope(request: IncomingRequest, rootPath: string): string | undefined {
  const { localAddress, remoteAddress, tls } = request;
  const fields: string[] = [
    request.method,
    request.httpVersion,
    request.scheme,
    request.rawPath,
    request.query,
    Buffer.from(rootPath, 'utf8').toString('latin1'),
    remoteAddress,
    String(request.remotePort),
    localAddress === '' ? 'localhost' : localAddress,
    String(request.localPort || ''),
    request.earlyHints !== undefined && request.httpVersion !== '1.0' ? '1' : '',
    tls?.protocol ?? '',
    tls?.cipher ?? '',
  ];
  for (const [name, value] of request.headers) {
    const key = scopeName(name);
    if (key !== undefined) fields.push(key, value);
  }
  const head = fields.join('\0');
  let nuls = 0;
  for (let at = head.indexOf('\0'); at !== -1; at = head.indexOf('\0', at + 1)) nuls++;
  return nuls === fields.length - 1 ? head : undefined;
}
