/** A set of bytes, as a table that a scanner can ask without branching. */
function byteSet(
  characters: string,
  ...ranges: readonly (readonly [from: number, to: number])[]
): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  for (const [from, to] of ranges) table.fill(1, from, to + 1);
  return table;
}

const DIGITS = [0x30, 0x39] as const;
const UPPER = [0x41, 0x5a] as const;
const LOWER = [0x61, 0x7a] as const;

/** What methods and field names are made of (RFC 9110, section 5.6.2). */
export const TOKEN_BYTES = byteSet("!#$%&'*+-.^_`|~", DIGITS, UPPER, LOWER);

/** What field values may hold: visible bytes, space, tab and obs-text (RFC 9110, section 5.5). */
export const VALUE_BYTES = byteSet('\t', [0x20, 0x7e], [0x80, 0xff]);

/** What a request-target may hold: visible ASCII; a fragment is never sent (RFC 9112, section 3.2). */
export const TARGET_BYTES = byteSet('', [0x21, 0x22], [0x24, 0x7e]);

/** Anything that must not stand in a field value that is sent. */
export const NOT_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** A whole token. */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * `host[:port]` (RFC 9110, section 4.2; RFC 3986, section 3.2.2). The comma is left out of reg-name: two Host
 * fields that something joined must not pass as one.
 */
export const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::(\d{0,5}))?$/;

/** The methods of IANA's registry, but CONNECT, and a few of habit: those the engine hands to a handler. */
export const METHODS: ReadonlySet<string> = new Set(
  `GET HEAD POST PUT DELETE OPTIONS TRACE PATCH QUERY COPY LOCK MKCOL MOVE PROPFIND PROPPATCH UNLOCK SEARCH
   REPORT MKACTIVITY MKCALENDAR CHECKOUT MERGE ACL BIND REBIND UNBIND LINK UNLINK BASELINE-CONTROL CHECKIN LABEL
   MKREDIRECTREF MKWORKSPACE ORDERPATCH UNCHECKOUT UPDATE UPDATEREDIRECTREF VERSION-CONTROL SUBSCRIBE UNSUBSCRIBE
   NOTIFY PURGE`.split(/\s+/),
);
