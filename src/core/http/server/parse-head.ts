import { AUTHORITY, METHODS, TARGET_BYTES, TOKEN } from './grammar.js';
import { type Fields, isPersistent, parseFields } from './parse-fields.js';
import { Refusal } from './status.js';

/** What the head of a request may cost. */
export interface HeadLimits {
  readonly maxTargetBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxFields: number;
}

/** The head of a request that may be answered. */
export interface Head {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1' | '2';
  readonly fields: Fields;
  /** Bytes of the body, or {@link CHUNKED}. */
  readonly length: number;
  /** Whether the client wants the connection to stay. */
  readonly keepAlive: boolean;
  /** Where the head ends in the text. */
  readonly end: number;
}

/** Stands for a length that only the chunks will tell. */
export const CHUNKED = -1;

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Reads one request head from latin1 text (RFC 9112, sections 2-3 and 5-6): the head, why it is refused, or
 * undefined when more bytes are needed. `known` are the fields of the head before it on the same connection.
 */
export function parseHead(
  text: string,
  start: number,
  limits: HeadLimits,
  known?: Fields,
): Head | Refusal | undefined {
  // One empty line before a request is forgiven (RFC 9112, section 2.2); more are not.
  const at = text.charCodeAt(start) === CR && text.charCodeAt(start + 1) === LF ? start + 2 : start;
  const space = isGet(text, at) ? at + 3 : text.indexOf(' ', at);
  let index = space + 1;
  while (TARGET_BYTES[text.charCodeAt(index) & 0xff] === 1) index += 1;
  const minor = text.charCodeAt(index + 8);
  const isLine =
    space > at &&
    index > space + 1 &&
    text.startsWith(' HTTP/1.', index) &&
    (minor === 0x31 || minor === 0x30) &&
    text.charCodeAt(index + 9) === CR &&
    text.charCodeAt(index + 10) === LF;
  const fieldsAt = index + 11;

  let fields = known;
  let end: number;
  if (isLine && known !== undefined && isRepeated(text, fieldsAt, known.source)) {
    end = fieldsAt + known.source.length + 2;
    // So everybody can tell that it comes again, and keep what it becomes.
    Object.freeze(known.headers);
  } else {
    end = text.indexOf('\r\n\r\n', isLine ? fieldsAt - 2 : at) + 4;
    fields = undefined;
  }
  if (end < 4 || end - at > limits.maxHeaderBytes) return checkPartial(text, at, limits);
  if (!isLine) return refuseRequestLine(text.slice(at, text.indexOf('\r\n', at)), limits);
  const method = isGet(text, at) ? 'GET' : text.slice(at, space);
  if (method !== 'GET' && !METHODS.has(method)) return refuseMethod(method);
  if (index - space - 1 > limits.maxTargetBytes) return new Refusal(414, 'the request target is too long');
  const parsed = fields ?? parseFields(text, fieldsAt, end - 2, limits);
  if (parsed instanceof Refusal) return parsed;
  return assemble(method, text.slice(space + 1, index), minor === 0x31 ? '1.1' : '1.0', parsed, end);
}

function isGet(text: string, at: number): boolean {
  return (
    text.charCodeAt(at) === 0x47 &&
    text.charCodeAt(at + 1) === 0x45 &&
    text.charCodeAt(at + 2) === 0x54 &&
    text.charCodeAt(at + 3) === SPACE
  );
}

/** Whether the same field lines stand here again, and the empty line after them. */
function isRepeated(text: string, at: number, source: string): boolean {
  const end = at + source.length;
  return text.charCodeAt(end) === CR && text.charCodeAt(end + 1) === LF && text.slice(at, end) === source;
}

/** What can be said against a head whose end has not come. */
function checkPartial(text: string, at: number, limits: HeadLimits): Refusal | undefined {
  if (text.length === at || text === '\r') return undefined;
  const lineEnd = text.indexOf('\r\n', at);
  const line = text.slice(at, lineEnd < 0 ? undefined : lineEnd);
  const space = line.indexOf(' ');
  const method = space < 0 ? line : line.slice(0, space);
  // Nothing that cannot become a request line is waited for: a TLS handshake, a stray binary protocol.
  const begun = lineEnd < 0 ? method.replaceAll('\r', '') : method;
  if (begun !== '' && !TOKEN.test(begun)) return new Refusal(400, 'not a request line');
  if (method.length > 32) return refuseMethod(method);
  if (lineEnd >= 0 && !/^[^ ]+ [^ ]+ HTTP\/1\.[01]$/.test(line)) return refuseRequestLine(line, limits);
  if (space === 0) return new Refusal(400, 'not a request line');
  for (let lf = text.indexOf('\n', at); lf >= 0; lf = text.indexOf('\n', lf + 1)) {
    if (lf === at || text.charCodeAt(lf - 1) !== CR) return new Refusal(400, 'a bare line feed');
  }
  const targetEnd = space < 0 ? -1 : line.indexOf(' ', space + 1);
  const targetBytes = space < 0 ? 0 : (targetEnd < 0 ? line.length : targetEnd) - space - 1;
  if (targetBytes > limits.maxTargetBytes) return new Refusal(414, 'the request target is too long');
  if (text.length - at > limits.maxHeaderBytes) return new Refusal(431, 'the header fields are too large');
  return undefined;
}

/** A request line that is not `method SP target SP HTTP/1.x`: which part of it, and so which status. */
function refuseRequestLine(line: string, limits: HeadLimits): Refusal {
  const parts = /^([^ ]+) ([^ ]+) HTTP\/(\d)\.(\d)$/.exec(line);
  if (parts === null) {
    const isLong = line.length > limits.maxTargetBytes + 32;
    return isLong
      ? new Refusal(414, 'the request target is too long')
      : new Refusal(400, 'not a request line');
  }
  if ((parts[2]?.length ?? 0) > limits.maxTargetBytes)
    return new Refusal(414, 'the request target is too long');
  if (/[^!"$-~]/.test(parts[2] ?? '')) return new Refusal(400, 'the request target holds a forbidden byte');
  return new Refusal(505, `no such version of HTTP: ${parts[3]}.${parts[4]}`);
}

function refuseMethod(method: string): Refusal {
  if (method === 'CONNECT') return new Refusal(501, 'CONNECT is for proxies');
  return TOKEN.test(method)
    ? new Refusal(501, 'unknown method')
    : new Refusal(400, 'the method is not a token');
}

/** Puts line and fields together: the rules that need both. */
function assemble(
  method: string,
  target: string,
  version: '1.0' | '1.1',
  fields: Fields,
  end: number,
): Head | Refusal {
  const host = fields.host;
  if (host === undefined) {
    if (version === '1.1') return new Refusal(400, 'no Host');
  } else if (!isAuthority(host)) {
    return new Refusal(400, 'the Host is malformed');
  }
  if (target.charCodeAt(0) !== 0x2f && !isOtherTarget(method, target)) {
    return new Refusal(400, 'the request target is malformed');
  }
  const length = bodyLength(version, fields);
  if (length instanceof Refusal) return length;
  if (fields.expect !== undefined && fields.expect !== '100-continue' && version === '1.1') {
    return new Refusal(417, 'unknown expectation');
  }
  const keepAlive = isPersistent(fields.connection, version === '1.1');
  return { method, target, version, fields, length, keepAlive, end };
}

/** The asterisk form is for OPTIONS alone; the absolute form names a host and no user (RFC 9112, section 3.2). */
function isOtherTarget(method: string, target: string): boolean {
  if (target === '*') return method === 'OPTIONS';
  const absolute = /^https?:\/\/([^/?]*)/i.exec(target);
  return absolute !== null && isAuthority(absolute[1] ?? '');
}

let lastAuthority = '';

/** Whether this is `host[:port]`. Clients ask for the same one again and again, so the last is remembered. */
export function isAuthority(text: string): boolean {
  if (text === lastAuthority && text !== '') return true;
  const parts = text.length > 300 ? null : AUTHORITY.exec(text);
  if (parts === null || Number(parts[1] ?? 0) > 65_535) return false;
  lastAuthority = text;
  return true;
}

/** How long the body is (RFC 9112, section 6.3). A request that could be read in two ways is refused. */
function bodyLength(version: '1.0' | '1.1', fields: Fields): number | Refusal {
  const { contentLength, transferEncoding } = fields;
  if (transferEncoding !== undefined) {
    if (version === '1.0') return new Refusal(400, 'Transfer-Encoding in HTTP/1.0');
    if (contentLength !== undefined) return new Refusal(400, 'both Content-Length and Transfer-Encoding');
    if (transferEncoding === 'chunked') return CHUNKED;
    const understood = /^[\w-]+(?:[ \t]*,[ \t]*[\w-]+)*[ \t]*,[ \t]*chunked$/.test(transferEncoding);
    return understood && transferEncoding.indexOf('chunked') === transferEncoding.length - 7
      ? new Refusal(501, 'unknown transfer coding')
      : new Refusal(400, 'the transfer coding is not chunked');
  }
  if (contentLength === undefined) return 0;
  if (!/^\d{1,19}$/.test(contentLength)) return new Refusal(400, 'Content-Length is not a number');
  const length = Number(contentLength);
  return length <= Number.MAX_SAFE_INTEGER ? length : new Refusal(413, 'Content-Length is too large');
}
