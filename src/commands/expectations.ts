import { NettoolError } from '../core/errors.js';
import type { ClientResponse } from '../core/http/client.js';
import type { AllFlags } from './all-flags.js';
import { isSameJson, pickJson } from './output/json-path.js';

/** What an answer has to be like. */
export interface Expectations {
  /** Anything at all is expected. */
  readonly any: boolean;
  /** The body has to be read to know. */
  readonly needsBody: boolean;
  /** A status that is named is as good as any, also for a file. */
  acceptsStatus(status: number): boolean;
  /** Everything that does not hold, as sentences. `text` is the body, when it is text. */
  findFailures(response: ClientResponse, text: string | undefined): string[];
}

interface HeaderRule {
  readonly name: string;
  readonly pattern: RegExp;
  readonly source: string;
}

/** The expectations of `--expect…`; bad expressions are usage errors. */
export function readExpectations(flags: AllFlags): Expectations {
  const ranges = flags.expect;
  const headers = (flags.expectHeader ?? []).map(parseHeaderRule);
  const bodies = (flags.expectBody ?? []).map((source) => ({
    source,
    pattern: toPattern(source, '--expect-body'),
  }));
  const values = (flags.expectJson ?? []).map(parseJsonRule);
  const isNamed = (status: number): boolean =>
    ranges?.some(([from, to]) => status >= from && status <= to) === true;
  return {
    any: [ranges, flags.expectHeader, flags.expectBody, flags.expectJson].some((list) => list !== undefined),
    needsBody: bodies.length > 0 || values.length > 0,
    acceptsStatus: (status) => (ranges === undefined ? status < 400 : isNamed(status)),
    findFailures({ status, headers: fields }, text) {
      const failures: string[] = [];
      if (ranges !== undefined && !isNamed(status))
        failures.push(`status ${status} is not ${showRanges(ranges)}`);
      for (const { name, pattern, source } of headers) {
        const found = fields.filter(([key]) => key.toLowerCase() === name);
        if (!found.some(([, value]) => pattern.test(value))) {
          const what =
            found.length === 0 ? 'is missing' : `is '${found.map(([, value]) => value).join(', ')}'`;
          failures.push(`header ${name} ${what}, expected ${source}`);
        }
      }
      for (const { source, pattern } of bodies) {
        if (text === undefined || !pattern.test(text)) failures.push(`the body does not match ${source}`);
      }
      for (const { path, wanted } of values) {
        const found = text === undefined ? undefined : pickJson(text, path);
        if (found === undefined && (text === undefined || pickJson(text, '') === undefined))
          failures.push(`the body is not JSON, expected ${path} to be ${wanted}`);
        else if (found === undefined) failures.push(`the body has no ${path}`);
        else if (!isSameJson(found, wanted))
          failures.push(`${path} is ${shorten(found)}, expected ${wanted}`);
      }
      return failures;
    },
  };
}

function showRanges(ranges: NonNullable<AllFlags['expect']>): string {
  return ranges
    .map(([from, to]) => {
      if (from === to) return String(from);
      return from % 100 === 0 && to === from + 99 ? `${from / 100}xx` : `${from}-${to}`;
    })
    .join(',');
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function parseHeaderRule(source: string): HeaderRule {
  const colon = source.indexOf(':');
  if (colon < 1) throw new NettoolError('USAGE', `bad --expect-header '${source}': it is 'Name: regex'`);
  const expression = source.slice(colon + 1).trim();
  return {
    name: source.slice(0, colon).trim().toLowerCase(),
    pattern: toPattern(expression, '--expect-header'),
    source: expression,
  };
}

function parseJsonRule(source: string): { path: string; wanted: string } {
  const equals = source.indexOf('=');
  if (equals === -1) throw new NettoolError('USAGE', `bad --expect-json '${source}': it is 'path=value'`);
  return { path: source.slice(0, equals).replace(/^\$?\.?/, ''), wanted: source.slice(equals + 1) };
}

function toPattern(source: string, flag: string): RegExp {
  try {
    return new RegExp(source, 'm');
  } catch (error) {
    throw new NettoolError('USAGE', `bad ${flag} '${source}' (${(error as Error).message})`);
  }
}
