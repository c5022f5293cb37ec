import { flattenCauses, type NettoolError, type Place } from '../../core/errors.js';
import { escapeLine } from '../output/escape.js';
import type { Style } from '../output/style.js';

/** The failure that ended a command, as `--json` prints it. */
export interface ErrorEvent {
  readonly type: 'error';
  readonly command: string | null;
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly exitCode: number;
  /** What lay behind it, outermost first: every address tried, every library's own words. */
  readonly cause: readonly string[];
}

/** The event of a failure. */
export function toErrorEvent(error: NettoolError, command: string | undefined, exitCode: number): ErrorEvent {
  return {
    type: 'error',
    command: command ?? null,
    code: error.code,
    message: error.message,
    hint: error.hint ?? null,
    exitCode,
    cause: flattenCauses(error.cause).map((cause) => cause.message || cause.name),
  };
}

/** `nettool get: cannot connect to 127.0.0.1:9 (connection refused)`, the place when there is one, and a hint. */
export function viewError(event: ErrorEvent, style: Style, place?: Place): string {
  const name = event.command === null ? 'nettool' : `nettool ${event.command}`;
  const lines = [`${style.red(`${name}:`)} ${escapeLine(event.message)}`];
  if (place !== undefined) {
    const before = escapeLine(place.text.slice(0, place.position));
    lines.push(`  ${escapeLine(place.text)}`, `  ${' '.repeat(before.length)}${style.red('^')}`);
  }
  if (event.hint !== null) lines.push(`${style.dim('hint:')} ${escapeLine(event.hint)}`);
  return lines.join('\n');
}
