import { GatewayError } from '../http/gateway-error.js';
import { HOP_BY_HOP } from '../http/hop-by-hop.js';
import { rememberHeads } from '../http/known-heads.js';
import type { HeaderList, HeaderPair } from '../http/messages.js';

/** The head of what a script answered (RFC 3875, section 6). */
export type CgiReply = CgiDocument | CgiLocalRedirect;

/** An answer for the client; also a redirect that the client is to follow. */
export interface CgiDocument {
  readonly kind: 'document';
  readonly status: number;
  readonly reason?: string;
  readonly headers: HeaderList;
  /** How many bytes of body the script announced. */
  readonly length: number | undefined;
}

/** Another path of this server is to answer instead (RFC 3875, section 6.2.2). */
export interface CgiLocalRedirect {
  readonly kind: 'local-redirect';
  readonly target: string;
}

/** How a script's head is read. */
export interface CgiReplyOptions {
  /** The script may begin with a status line of its own: its name begins with `nph-`. */
  readonly allowStatusLine?: boolean;
  /** It need not say anything about the page: PHP does not when it has no type by default. */
  readonly allowUntyped?: boolean;
}

/** More than this without an empty line is no head. */
export const MAX_CGI_HEAD_BYTES = 64 * 1024;

/** Where a head ends and the body begins, lines ended by LF or CR LF, also mixed; -1 when the end has not come. */
export function findBodyStart(bytes: Buffer, from = 0): number {
  // An empty head: the script began with its empty line.
  if (from === 0 && bytes[0] === 0x0a) return 1;
  if (from === 0 && bytes[0] === 0x0d && bytes[1] === 0x0a) return 2;
  for (let at = bytes.indexOf(0x0a, Math.max(0, from - 3)); at !== -1; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3;
  }
  return -1;
}

/** {@link parseCgiHead} for FastCGI applications, which answer many times and always with a head. */
export const parseKnownCgiHead = rememberHeads<CgiReply>(
  (head) => parseCgiHead(head, { allowUntyped: true }),
  /^set-cookie:/im,
);

/** Takes the head of a script's output apart; a head that breaks the rules is a {@link GatewayError} 502. */
export function parseCgiHead(head: string, options: CgiReplyOptions = {}): CgiReply {
  const lines = head.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  while (lines.at(-1) === '') lines.pop();
  let status: StatusValue | undefined;
  const statusLine = /^HTTP\/1\.[01] (.*)$/.exec(lines[0] ?? '');
  if (statusLine !== null && options.allowStatusLine === true) {
    status = parseStatus(statusLine[1] as string);
    lines.shift();
  }
  const headers: HeaderPair[] = [];
  let location: string | undefined;
  let length: number | undefined;
  for (const line of lines) {
    const [name, value] = parseLine(line);
    const key = name.toLowerCase();
    if (key === 'status') {
      if (status !== undefined) throw new GatewayError(502, 'the script sent two Status fields');
      status = parseStatus(value);
    } else if (key === 'content-length') {
      if (length !== undefined) throw new GatewayError(502, 'the script sent two Content-Length fields');
      length = parseLength(value);
    } else if (key === 'location') {
      if (location !== undefined) throw new GatewayError(502, 'the script sent two Location fields');
      location = value;
      headers.push([name, value]);
    } else if (!HOP_BY_HOP.has(key) && key !== 'trailer') headers.push([name, value]);
  }
  // RFC 3875 wants a Content-Type. Other servers send what comes without one; nothing at all is no head of a script.
  if (lines.length === 0 && status === undefined && options.allowUntyped !== true) {
    throw new GatewayError(502, 'the script sent no header fields before its empty line');
  }
  // PHP and frameworks always say `Status: 302` beside it: alone, it asks us to answer with that path.
  if (location?.startsWith('/') && !location.startsWith('//') && status === undefined && lines.length === 1) {
    return { kind: 'local-redirect', target: location };
  }
  const fallback = location === undefined ? 200 : 302;
  return { kind: 'document', status: fallback, ...status, headers, length };
}

interface StatusValue {
  readonly status: number;
  readonly reason?: string;
}

/** `404`, `404 Not Found`. A script may not send interim answers. */
function parseStatus(value: string): StatusValue {
  const match = /^([2-5]\d\d)(?: +(.*))?$/.exec(value);
  if (match === null) throw new GatewayError(502, `the script sent a malformed status '${printable(value)}'`);
  const reason = match[2]?.trim();
  return { status: Number(match[1]), ...(reason ? { reason } : {}) };
}

function parseLength(value: string): number {
  const length = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(length)) {
    throw new GatewayError(502, `the script sent a malformed Content-Length '${printable(value)}'`);
  }
  return length;
}

/** One field; nothing that could become a second one, or end the head, gets through. */
function parseLine(line: string): HeaderPair {
  const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x20-\x7e\x80-\xff\t])*?)[ \t]*$/.exec(line);
  if (match === null) {
    throw new GatewayError(502, `the script sent a malformed header line '${printable(line)}'`);
  }
  return [match[1] as string, match[2] as string];
}

/** Output of a script as part of a sentence: short, and without control bytes. */
function printable(text: string): string {
  return text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?');
}
