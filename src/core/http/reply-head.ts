import type { HeaderList } from './messages.js';
import { type Fields, isPersistent, parseFields } from './server/parse-fields.js';
import { Refusal } from './server/status.js';

/** The head of a reply. */
export interface ReplyHead {
  readonly httpVersion: '1.0' | '1.1';
  readonly status: number;
  readonly reason: string;
  /** As they came, a character per byte. */
  readonly headers: HeaderList;
  /** How long the content says it is. */
  readonly length: number | undefined;
  readonly isChunked: boolean;
  /** Whether the connection stays. */
  readonly keepAlive: boolean;
  /** The text it was read from. */
  readonly source: string;
}

/** What a reply may cost, and how strictly it is read. */
export interface ReplyRules {
  readonly maxHeaderBytes: number;
  readonly maxFields: number;
  /** Replies with a status of 1xx before the one that counts. */
  readonly maxInterim: number;
  /**
   * Takes what is not written as it should be, where only one meaning can be seen in it: lines that end in a bare line
   * feed or are folded, a length that is repeated or beside chunks, the coding `identity`, spaces after the size of a chunk, trailers that are none,
   * content where there is none. Not for those who pass it on, as the next one may see another meaning.
   */
  readonly isLenient: boolean;
}

/** For whoever passes replies on. */
export const STRICT_RULES: ReplyRules = {
  maxHeaderBytes: 64 * 1024,
  maxFields: 200,
  maxInterim: 32,
  isLenient: false,
};

/** For whoever wants to know what a server says; curl's limit of the head is 300 KB. */
export const LENIENT_RULES: ReplyRules = {
  maxHeaderBytes: 256 * 1024,
  maxFields: 100_000,
  maxInterim: 20,
  isLenient: true,
};

/** The space after the status is left out by many who have no words for it. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

/** Takes a head apart, its lines ended by CR LF, the empty line included (RFC 9112, sections 4 to 6). */
export function parseReplyHead(source: string, rules: ReplyRules): ReplyHead {
  const { isLenient } = rules;
  const lineEnd = source.indexOf('\r\n');
  const [, minor, digits, reason = ''] = STATUS_LINE.exec(source.slice(0, lineEnd)) ?? [];
  const status = Number(digits);
  if (digits === undefined || (status > 599 && !isLenient)) throw malformed('the status line is malformed');
  const fields = parseFields(source, lineEnd + 2, source.length - 2, rules);
  if (fields instanceof Refusal) throw malformed(fields.message);
  const httpVersion = minor === '1' ? '1.1' : '1.0';
  const length = readLength(fields, isLenient);
  const isChunked = readCoding(fields, isLenient);
  const isAmbiguous = isChunked && length !== undefined;
  if (isAmbiguous && !isLenient) throw malformed('both Content-Length and Transfer-Encoding');
  if (isChunked && httpVersion === '1.0') throw malformed('Transfer-Encoding in HTTP/1.0');
  if (status < 200 || status === 204) checkEmpty(status, { length, isChunked, httpVersion }, isLenient);
  // Chunks it is then, and the connection is not to be trusted any more (RFC 9112, section 6.3).
  const keepAlive = !isAmbiguous && isPersistent(fields.connection, httpVersion === '1.1');
  const { headers } = fields;
  return {
    httpVersion,
    status,
    reason,
    headers,
    length: isAmbiguous ? undefined : length,
    isChunked,
    keepAlive,
    source,
  };
}

/** The same length twice is one length, two different ones are an attack (RFC 9112, section 6.3). */
function readLength({ contentLength }: Fields, isLenient: boolean): number | undefined {
  if (contentLength === undefined) return undefined;
  const [text = '', ...others] = isLenient ? new Set(valuesOf(contentLength)) : [contentLength];
  if (others.length > 0) throw malformed('its Content-Length fields do not agree');
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw malformed('its Content-Length is not a number of bytes');
  return length;
}

function readCoding({ transferEncoding }: Fields, isLenient: boolean): boolean {
  if (transferEncoding === undefined) return false;
  const codings = isLenient
    ? valuesOf(transferEncoding).filter((coding) => coding !== 'identity')
    : [transferEncoding];
  if (codings.length === 0) return false;
  if (codings.length > 1 || codings[0] !== 'chunked') throw malformed('an unknown transfer coding');
  return true;
}

function checkEmpty(
  status: number,
  { length, isChunked, httpVersion }: Pick<ReplyHead, 'length' | 'isChunked' | 'httpVersion'>,
  isLenient: boolean,
): void {
  if (isLenient) return;
  if (status === 204 ? isChunked || (length ?? 0) > 0 : isChunked || length !== undefined) {
    throw malformed('content where there is none');
  }
  if (status < 200 && httpVersion === '1.0') throw malformed('an interim reply in HTTP/1.0');
}

function valuesOf(list: string): string[] {
  return list.split(',').map((value) => value.trim());
}

function malformed(what: string): Refusal {
  return new Refusal(502, what);
}
