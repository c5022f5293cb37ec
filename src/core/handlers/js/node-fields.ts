import { type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http';
import { endToEndHeaders } from '../../http/hop-by-hop.js';
import type { HeaderPair } from '../../http/messages.js';
import { isHopByHop } from './application-headers.js';

/** What a response of node:http has to say, in any of the ways it can be said. */
export function toFields(response: ServerResponse, given: unknown): HeaderPair[] {
  const fields: HeaderPair[] = [];
  const names = (response as ServerResponse & { getRawHeaderNames(): string[] }).getRawHeaderNames();
  // Either all went through setHeader(), or what writeHead() was given is all there is.
  if (names.length > 0) for (const name of names) add(fields, name, response.getHeader(name));
  else if (given !== undefined) addGiven(fields, given);
  return fields.some(([name]) => isHopByHop(name)) ? withoutHops(fields) : fields;
}

/** `[name, value, …]`, `[[name, value], …]` or an object. */
function addGiven(fields: HeaderPair[], given: unknown): void {
  const pairs = !Array.isArray(given)
    ? Object.entries(given as object)
    : Array.isArray(given[0])
      ? (given as [string, unknown][])
      : Array.from({ length: given.length / 2 }, (_, at) => [given[2 * at], given[2 * at + 1]] as const);
  for (const [name, value] of pairs) {
    validateHeaderName(name);
    for (const one of Array.isArray(value) ? value : [value]) validateHeaderValue(name, one);
    add(fields, name, value);
  }
}

function add(fields: HeaderPair[], name: string, value: unknown): void {
  if (!Array.isArray(value)) fields.push([name, String(value)]);
  else for (const one of value) fields.push([name, String(one)]);
}

/** That the connection is to be closed is for the engine to do; the rest is its own business. */
function withoutHops(fields: readonly HeaderPair[]): HeaderPair[] {
  const kept = endToEndHeaders(fields);
  const isLast = fields.some(
    ([name, value]) => name.toLowerCase() === 'connection' && /\bclose\b/i.test(value),
  );
  if (isLast) kept.push(['Connection', 'close']);
  return kept;
}

/** `Name: value` lines as they are on the wire. */
export function parseLines(text: string): HeaderPair[] {
  return text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    });
}
