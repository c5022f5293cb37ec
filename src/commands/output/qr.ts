import { encode } from 'uqr';
import type { Style } from './style.js';

/** Two rows of modules in one line of text, so that a module is about square. */
const HALVES = [
  ['█', '▀'],
  ['▄', ' '],
] as const;

/** What a reader needs around the code to find it. */
const QUIET_ZONE = 2;

/**
 * A text as a QR code for the terminal. Light modules are drawn and dark ones left: right on a dark background, and
 * where colours are allowed it is white on black whatever the background.
 */
export function formatQr(text: string, style: Style): string {
  const { data, size } = encode(text, { ecc: 'L', border: QUIET_ZONE });
  const isDark = (x: number, y: number): 0 | 1 => (data[y]?.[x] ? 1 : 0);
  const lines: string[] = [];
  for (let y = 0; y < size; y += 2) {
    let line = '';
    for (let x = 0; x < size; x += 1) line += HALVES[isDark(x, y)]?.[isDark(x, y + 1)] ?? '';
    lines.push(style.whiteOnBlack(line));
  }
  return lines.join('\n');
}
