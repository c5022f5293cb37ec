import { NettoolError } from '../core/errors.js';
import { looksSecret } from '../core/secrets.js';

/** One request item of the command line (HTTPie's grammar), not yet carried out. */
export type RequestItem =
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'no-header'; readonly name: string }
  | { readonly kind: 'param'; readonly name: string; readonly value: string }
  /** A text field of the body. */
  | { readonly kind: 'text'; readonly name: string; readonly value: string; readonly source: string }
  /** A field whose value is JSON as written. */
  | { readonly kind: 'json'; readonly name: string; readonly value: string; readonly source: string }
  /** The same two, with their value in a file. */
  | {
      readonly kind: 'text-file' | 'json-file';
      readonly name: string;
      readonly path: string;
      readonly source: string;
    }
  /** A whole file as a field of a form. */
  | FileItem;

/** A file field: `name@path;type=text/plain;filename=other.txt`. */
export interface FileItem {
  readonly kind: 'file';
  readonly name: string;
  readonly path: string;
  readonly type: string | undefined;
  readonly filename: string | undefined;
  readonly source: string;
}

/** Longest first: of those that start at the same place the longest is meant. */
const SEPARATORS = [':=@', '=@', ':=', '==', ':', '=', '@'] as const;

const SPECIAL = new Set(':;=@');

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** C0 but tab, and DEL: what could end a header line and begin another. */
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;

const BLANK = /^[ \t]*$/;

interface Split {
  readonly name: string;
  readonly separator: (typeof SEPARATORS)[number] | ';';
  readonly value: string;
}

/** Reads one request item; what is wrong with a bad one is a usage error that names it. */
export function parseItem(source: string): RequestItem {
  if (/^https?:\/\//i.test(source)) throw badItem(source, 'more URLs are given by --url URL');
  // Not shown: what is secret in it would not be noticed.
  if (/^[[{]/.test(source) && isJson(source)) throw badItem('{…}', 'a body of JSON is given by -d');
  const split = splitItem(source);
  if (split === undefined) {
    throw badItem(source, "it has no separator (one of ':', ';', '==', '=', ':=', '@', '=@', ':=@')");
  }
  const { name, separator, value } = split;
  if (name === '') throw badItem(source, `the name before '${separator}' is missing`);
  switch (separator) {
    case ':':
      return BLANK.test(value)
        ? { kind: 'no-header', name: checkName(source, name) }
        : toHeader(source, split);
    case ';':
      return toHeader(source, split);
    case '==':
      return { kind: 'param', name, value };
    case '=':
      return { kind: 'text', name, value, source };
    case ':=':
      return { kind: 'json', name, value: checkJson(source, value), source };
    case '=@':
      return { kind: 'text-file', name, path: checkPath(source, value), source };
    case ':=@':
      return { kind: 'json-file', name, path: checkPath(source, value), source };
    case '@':
      return toFileItem(source, name, value);
  }
}

/** Reads `Name: value`, `Name:` (leave the field out) or `Name;` (send it empty), as `-H` takes it. */
export function parseHeader(source: string): RequestItem {
  const colon = source.indexOf(':');
  if (colon === -1) {
    const empty = /^(.*);\s*$/.exec(source);
    if (empty === null) throw badItem(source, "a header field is 'Name: value'", 'header');
    return { kind: 'header', name: checkName(source, empty[1] as string, 'header'), value: '' };
  }
  const name = source.slice(0, colon);
  const value = source.slice(colon + 1);
  if (BLANK.test(value)) return { kind: 'no-header', name: checkName(source, name, 'header') };
  return {
    kind: 'header',
    name: checkName(source, name, 'header'),
    value: checkValue(source, value, 'header'),
  };
}

/** Reads the value of `--file`: `field=@path`, `field=path` or `field@path`, with the parameters behind it. */
export function parseFileFlag(source: string): FileItem {
  const [, name = '', value = ''] = /^([^=@]+)(?:=@|=|@)(.*)$/s.exec(source) ?? [];
  if (name === '') throw badItem(source, "a file field is 'field=@path'", 'file');
  return toFileItem(source, name, value);
}

/** Only known parameters are taken off: a path may well hold a semicolon. */
function toFileItem(source: string, name: string, value: string): FileItem {
  let path = value;
  const found: { type?: string; filename?: string } = {};
  for (;;) {
    const [whole, key, text] = /;\s*(type|filename)=("[^"]*"|[^;]*)$/i.exec(path) ?? [];
    if (whole === undefined) break;
    found[(key as string).toLowerCase() as 'type' | 'filename'] ??= (text as string).replace(
      /^"(.*)"$/,
      '$1',
    );
    path = path.slice(0, -whole.length);
  }
  const { type, filename } = found;
  for (const text of [name, type ?? '', filename ?? '']) {
    if (CONTROL.test(text)) throw badItem(source, 'a form field cannot hold control characters');
  }
  return { kind: 'file', name, path: checkPath(source, path), type, filename, source };
}

/** Checks that a text is JSON, which is not changed: its numbers and keys are sent as they are written. */
export function checkJson(source: string, text: string): string {
  try {
    JSON.parse(text);
    return text.trim();
  } catch (error) {
    // Without the excerpt, which may be of a secret.
    const reason = (error as Error).message.replace(/, (\.\.\.)?".*$| \(line \d+ column \d+\)$/s, '');
    throw badItem(source, `the value is not JSON (${reason})`);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The usage error of an argument that cannot be read. */
export function badItem(
  source: string,
  why: string,
  kind: 'item' | 'header' | 'file' = 'item',
): NettoolError {
  const [name = ''] = source.split(/[:;=@]/, 1);
  const shown = looksSecret(name) ? `${source.slice(0, name.length + 1)}***` : source;
  return new NettoolError('USAGE', `bad request ${kind} '${shown}': ${why}`);
}

/** The first separator wins, the longest where several start; a backslash takes a character's meaning away. */
function splitItem(source: string): Split | undefined {
  let name = '';
  for (let index = 0; index < source.length; index += 1) {
    const escaped = source[index] === '\\' && SPECIAL.has(source[index + 1] ?? '');
    if (escaped) {
      index += 1;
    } else {
      const found = SEPARATORS.find((candidate) => source.startsWith(candidate, index));
      if (found !== undefined) {
        return { name, separator: found, value: unescapeValue(source.slice(index + found.length)) };
      }
      // Only at the very end: elsewhere a semicolon is an ordinary character.
      if (source[index] === ';' && index === source.length - 1) return { name, separator: ';', value: '' };
    }
    name += source[index];
  }
  return undefined;
}

function unescapeValue(text: string): string {
  return text.replace(/\\([:;=@])/g, '$1');
}

function toHeader(source: string, { name, value }: Split): RequestItem {
  return { kind: 'header', name: checkName(source, name), value: checkValue(source, value) };
}

function checkName(source: string, name: string, kind?: 'header'): string {
  if (!TOKEN.test(name)) throw badItem(source, `'${name}' is not a header name`, kind);
  return name;
}

function checkValue(source: string, value: string, kind?: 'header'): string {
  if (CONTROL.test(value)) throw badItem(source, 'a header value cannot hold control characters', kind);
  return value.trim();
}

function checkPath(source: string, path: string): string {
  if (path === '') throw badItem(source, "the file name after '@' is missing");
  return path;
}
