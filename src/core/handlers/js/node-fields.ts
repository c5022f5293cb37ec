import { OutgoingMessage, type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http';
import { endToEndHeaders } from '../../http/hop-by-hop.js';
import type { HeaderPair } from '../../http/messages.js';
import { isHopByHop } from './application-headers.js';

/** Where a response keeps what went through setHeader(): `[name, value]` by lower-case name. */
const SET = Object.getOwnPropertySymbols(new OutgoingMessage()).find(
  ({ description }) => description === 'kOutHeaders',
) as symbol;

/** What a response of node:http has to say, in any of the ways it can be said. */
export function toFields(response: ServerResponse, given: unknown): HeaderPair[] {
  const fields: HeaderPair[] = [];
  // Either all went through setHeader(), or what writeHead() was given is all there is.
  if (given === undefined || given === null) return fields;
  if (given === (response as unknown as Record<symbol, unknown>)[SET]) {
    for (const key in given) {
      const entry = (given as Record<string, [name: string, value: unknown]>)[key];
      if (entry !== undefined) add(fields, entry[0], entry[1]);
    }
  } else addGiven(fields, given);
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
  if (typeof value === 'string') fields.push([name, value]);
  else if (!Array.isArray(value)) fields.push([name, String(value)]);
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
