import type { Style } from './style.js';

/** A piece of JSON text as it was written. */
interface Token {
  readonly kind: 'key' | 'string' | 'number' | 'word' | 'mark';
  readonly text: string;
}

const INDENT = '  ';

/** Whether a text is JSON (RFC 8259). */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * JSON laid out and coloured for a person. Made from its tokens, not from its values: long numbers, `1.10`,
 * `1e400`, the order of keys and repeated keys stay as they were written. The text has to be JSON.
 */
export function prettyJson(text: string, style: Style): string {
  const parts: string[] = [];
  let depth = 0;
  let previous = '';
  for (const token of tokenize(text)) {
    const mark = token.kind === 'mark' ? token.text : '';
    const opened = previous === '{' || previous === '[';
    if (mark === '}' || mark === ']') {
      depth -= 1;
      // Nothing between the brackets: they stay together.
      if (!opened) parts.push('\n', INDENT.repeat(depth));
    } else if (opened || previous === ',') {
      parts.push('\n', INDENT.repeat(depth));
    }
    if (mark === '{' || mark === '[') depth += 1;
    parts.push(paint(token, style));
    if (mark === ':') parts.push(' ');
    previous = mark;
  }
  return parts.join('');
}

/** JSON without the blanks between its tokens, everything else as it was written. The text has to be JSON. */
export function compactJson(text: string): string {
  let compact = '';
  for (const token of tokenize(text)) compact += token.text;
  return compact;
}

function paint({ kind, text }: Token, style: Style): string {
  switch (kind) {
    case 'key':
      return style.blue(style.foreign(text));
    case 'string':
      return style.green(style.foreign(text));
    case 'number':
      return style.cyan(text);
    case 'word':
      return style.yellow(text);
    case 'mark':
      return text;
  }
}

/** Relies on the text being JSON, so that a token is known by its first character. */
function* tokenize(text: string): Generator<Token> {
  let index = 0;
  while (index < text.length) {
    const first = text[index] as string;
    let end = index + 1;
    if (first === '"') {
      end = endOfString(text, index);
      yield { kind: isKey(text, end) ? 'key' : 'string', text: text.slice(index, end) };
    } else if ('{}[],:'.includes(first)) {
      yield { kind: 'mark', text: first };
    } else if (!' \t\r\n'.includes(first)) {
      while (end < text.length && !'{}[],: \t\r\n'.includes(text[end] as string)) end += 1;
      yield { kind: /[-\d]/.test(first) ? 'number' : 'word', text: text.slice(index, end) };
    }
    index = end;
  }
}

/** The index after the closing quote of the string that opens at `start`: a quote after an even run of backslashes. */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  for (;;) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
}

function isKey(text: string, end: number): boolean {
  let index = end;
  while (' \t\r\n'.includes(text[index] ?? '!')) index += 1;
  return text[index] === ':';
}

/** A member of an object (by its key) or of an array (by its index), its value as it was written. */
export interface Member {
  readonly key: string | number;
  readonly value: string;
}

/** The members of a JSON object or array; none of anything else. The text has to be JSON without blanks. */
export function readMembers(text: string): Member[] {
  const members: Member[] = [];
  const isObject = text.startsWith('{');
  if (!isObject && !text.startsWith('[')) return members;
  let depth = 0;
  let key = '';
  let value = '';
  for (const { kind, text: token } of tokenize(text)) {
    const closes = token === '}' || token === ']';
    if (kind === 'mark' && closes) depth -= 1;
    const ends = kind === 'mark' && ((closes && depth === 0) || (token === ',' && depth === 1));
    if (ends && value !== '') members.push({ key: isObject ? key : members.length, value });
    if (ends) value = '';
    else if (depth === 1 && kind === 'key') key = JSON.parse(token) as string;
    else if (depth > 1 || (depth === 1 && !(kind === 'mark' && token === ':' && value === '')))
      value += token;
    if (kind === 'mark' && (token === '{' || token === '[')) depth += 1;
  }
  return members;
}
