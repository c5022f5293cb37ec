import type { HeaderPair } from '../messages.js';
import { TOKEN_BYTES, VALUE_BYTES } from './grammar.js';
import { Refusal } from './status.js';

/** The field lines of a message, and what those that frame the message say. */
export interface Fields {
  /** The lines as they were sent: a connection that repeats them need not have them parsed again. */
  readonly source: string;
  readonly headers: readonly HeaderPair[];
  host: string | undefined;
  contentLength: string | undefined;
  transferEncoding: string | undefined;
  connection: string;
  expect: string | undefined;
  upgrade: string | undefined;
}

/** What field lines may cost, and how strictly they are read. */
export interface FieldRules {
  readonly maxFields: number;
  readonly isLenient?: boolean;
}

const SPACE = 0x20;
const TAB = 0x09;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/**
 * Reads field lines, each ended by CR LF (RFC 9112, section 5): no folding, no space before the colon. Those that frame
 * the message may not be repeated; who `isLenient` gets them joined.
 */
export function parseFields(text: string, start: number, end: number, rules: FieldRules): Fields | Refusal {
  const { maxFields, isLenient = false } = rules;
  const headers: HeaderPair[] = [];
  const fields: Fields = {
    source: text.slice(start, end),
    headers,
    host: undefined,
    contentLength: undefined,
    transferEncoding: undefined,
    connection: '',
    expect: undefined,
    upgrade: undefined,
  };
  let at = start;
  while (at < end) {
    let index = at;
    while (TOKEN_BYTES[text.charCodeAt(index) & 0xff] === 1) index += 1;
    if (index === at || text.charCodeAt(index) !== COLON) return new Refusal(400, 'not a header field');
    const name = text.slice(at, index);
    let code: number;
    do {
      index += 1;
      code = text.charCodeAt(index);
    } while (code === SPACE || code === TAB);
    const from = index;
    while (VALUE_BYTES[text.charCodeAt(index) & 0xff] === 1) index += 1;
    if (text.charCodeAt(index) !== CR || text.charCodeAt(index + 1) !== LF) {
      return new Refusal(400, 'a control byte in a header field');
    }
    at = index + 2;
    while (index > from && (text.charCodeAt(index - 1) === SPACE || text.charCodeAt(index - 1) === TAB)) {
      index -= 1;
    }
    const value = text.slice(from, index);
    // Whitespace after `chunked` is read in two ways: some trim it, some do not know the coding then.
    if (index + 2 < at && name.length === 17 && !isLenient && name.toLowerCase() === 'transfer-encoding') {
      return new Refusal(400, 'the transfer coding is not chunked');
    }
    if (headers.push([name, value]) > maxFields) return new Refusal(431, 'too many header fields');
    const refusal =
      FRAMING_LENGTHS[name.length & 0xff] === 1
        ? note(fields, name.toLowerCase(), value, isLenient)
        : undefined;
    if (refusal !== undefined) return refusal;
  }
  return fields;
}

/** How long the names of the fields are that frame a message: most others need not be looked at. */
const FRAMING_LENGTHS = new Uint8Array(256);
for (const name of ['host', 'expect', 'upgrade', 'connection', 'content-length', 'transfer-encoding']) {
  FRAMING_LENGTHS[name.length] = 1;
}

/** Remembers the fields that frame the message; one that is repeated could be read in two ways. */
function note(fields: Fields, name: string, value: string, isLenient: boolean): Refusal | undefined {
  if (name === 'host') {
    if (fields.host !== undefined && !isLenient) return new Refusal(400, 'more than one Host');
    fields.host = value;
  } else if (name === 'content-length') {
    if (fields.contentLength !== undefined && !isLenient) {
      return new Refusal(400, 'more than one Content-Length');
    }
    fields.contentLength = joined(fields.contentLength, value);
  } else if (name === 'transfer-encoding') {
    if (fields.transferEncoding !== undefined && !isLenient) {
      return new Refusal(400, 'more than one Transfer-Encoding');
    }
    fields.transferEncoding = joined(fields.transferEncoding, value).toLowerCase();
  } else if (name === 'connection') fields.connection += `${value.toLowerCase()},`;
  else if (name === 'expect') fields.expect = value.toLowerCase();
  else if (name === 'upgrade') fields.upgrade = value.toLowerCase();
  return undefined;
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}

/** Whether `Connection` lets the connection stay (RFC 9112, section 9.3). */
export function isPersistent(connection: string, byDefault: boolean): boolean {
  if (connection === '') return byDefault;
  if (connection === 'keep-alive,') return true;
  const options = connection.split(',').map((option) => option.trim());
  if (options.includes('close')) return false;
  return byDefault || options.includes('keep-alive');
}
