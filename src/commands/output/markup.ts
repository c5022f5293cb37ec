import type { Style } from './style.js';

/** Comments, CDATA, doctypes and instructions, tags, and the text between. */
const PIECE =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<[!?][^>]*>|<\/?[a-z][^\s>/]*(?:[^>"']|"[^"]*"|'[^']*')*>|[^<]+|</gi;

/** XML or HTML coloured for a person; nothing but the colours is changed. */
export function colorMarkup(text: string, style: Style): string {
  return (text.match(PIECE) ?? [])
    .map((piece) => {
      if (piece.startsWith('<!--')) return style.dim(style.foreign(piece));
      if (/^<[!?]/.test(piece)) return style.magenta(style.foreign(piece));
      return piece.startsWith('<') && piece.length > 1 ? colorTag(piece, style) : style.foreign(piece);
    })
    .join('');
}

function colorTag(tag: string, style: Style): string {
  const [, open = '', name = '', rest = ''] = /^(<\/?)([^\s>/]+)([\s\S]*)$/.exec(tag) ?? [];
  const attributes = style
    .foreign(rest)
    .replace(
      /([^\s=>"'/]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s>]+)/g,
      (_, key: string, equals: string, value: string) => {
        return `${style.cyan(key)}${equals}${style.green(value)}`;
      },
    );
  return `${style.blue(`${open}${style.foreign(name)}`)}${attributes.replace(/(\s*\/?>)$/, (end) => style.blue(end))}`;
}

/**
 * XML that stands on one line, an element a line. Elements with text in them stay as they are, and XML that has line
 * breaks was laid out by somebody already.
 */
export function indentXml(text: string): string {
  const pieces = text.trim().match(PIECE) ?? [];
  if (pieces.some((piece) => !piece.startsWith('<') && piece.trim() !== '' && piece.includes('\n')))
    return text;
  if (/\n\s*</.test(text.trim().replace(/^<\?[^>]*\?>\s*/, ''))) return text;
  const lines: string[] = [];
  let depth = 0;
  let isInline = false;
  for (const piece of pieces) {
    const closes = piece.startsWith('</');
    const opens = /^<[a-z]/i.test(piece) && !piece.endsWith('/>');
    if (closes) depth -= 1;
    const isText = !piece.startsWith('<');
    if (isText && piece.trim() === '') continue;
    const previous = lines.at(-1) ?? '';
    const joins = isText || isInline || (closes && isOpeningOf(previous.trim(), piece));
    if (joins && lines.length > 0) lines[lines.length - 1] = previous + piece;
    else lines.push(`${'  '.repeat(Math.max(0, depth))}${piece}`);
    // What follows a text belongs to its line until the element ends.
    isInline = isText || (isInline && !closes);
    if (opens) depth += 1;
  }
  return lines.join('\n');
}

function isOpeningOf(open: string, close: string): boolean {
  return (
    open.startsWith(`<${close.slice(2, -1).trim()}`) && !open.includes('</') && open.indexOf('<', 1) === -1
  );
}
