import type { Context } from '../context.js';
import { JsonText } from './json-text.js';
import type { Style } from './style.js';

/** An event as a person reads it, without the final newline; `undefined` when there is nothing to say. */
export type View<E> = (event: E, style: Style) => string | undefined;

/** Says one event. */
export type Report<E> = (event: E) => void;

/** Where the human view goes: `stdout` when it is the command's data, `stderr` when it is talk about it. */
export type Sink = 'stdout' | 'stderr';

/** What came from the other side: data, never altered. Everything else in an event is redacted. */
const RECEIVED = new Set([
  'body',
  'bodyBase64',
  'headers',
  'rawHeaders',
  'statusText',
  'location',
  'target',
  'userAgent',
  'text',
  'base64',
]);

/**
 * Events in, bytes out: with `--json` a line of JSON on stdout, else the view's line on its sink.
 * `--quiet` silences the talk on stderr; data on stdout stays.
 */
export function createReporter<E extends { type: string }>(
  context: Context,
  view: View<E>,
  sink: Sink,
): Report<E> {
  if (context.json) return (event) => void context.io.stdout.write(`${toJsonLine(event, context.redact)}\n`);
  if (context.quiet && sink === 'stderr') return () => {};
  const stream = context.io[sink];
  const style = context.style[sink];
  return (event) => {
    const text = view(event, style);
    if (text !== undefined) stream.write(`${context.redact(text)}\n`);
  };
}

/** One event as one line of JSON, secrets masked, {@link JsonText} embedded as it stands. */
export function toJsonLine(event: object, redact: (text: string) => string): string {
  const fields = Object.entries(event).flatMap(([key, value]) => {
    if (value === undefined) return [];
    const text =
      value instanceof JsonText
        ? value.text
        : JSON.stringify(RECEIVED.has(key) ? value : masked(value, redact));
    return `${JSON.stringify(key)}:${text}`;
  });
  return `{${fields.join(',')}}`;
}

function masked(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((item) => masked(item, redact));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, RECEIVED.has(key) ? item : masked(item, redact)]),
  );
}
