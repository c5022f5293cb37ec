import type { RequestEvent } from '../../core/http/server-types.js';
import { escapeLine } from '../output/escape.js';
import type { Style } from '../output/style.js';

/** `--log`. */
export const LOG_FORMATS = ['none', 'dev', 'common', 'combined', 'json'] as const;

/** How requests are logged. */
export type LogFormat = (typeof LOG_FORMATS)[number];

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** One request as a line of an access log. Whatever the client sent is escaped, so that no line can be forged. */
export function viewAccess(event: RequestEvent, format: LogFormat, style: Style): string | undefined {
  switch (format) {
    case 'none':
      return undefined;
    case 'dev':
      return viewDev(event, style);
    case 'common':
      return viewCommon(event);
    case 'combined':
      return `${viewCommon(event)} ${quoted(event.referer ?? '-')} ${quoted(event.userAgent ?? '-')}`;
    case 'json':
      return escapeJson(JSON.stringify(event));
  }
}

/** `12:30:01 GET /index.html 200 1.2 ms 5120 bytes`, the status coloured by its class; then how it was served. */
function viewDev(event: RequestEvent, style: Style): string {
  const time = style.dim(new Date(event.time).toTimeString().slice(0, 8));
  const paint = [style.red, style.cyan, style.green, style.cyan, style.yellow][
    Math.trunc(event.status / 100)
  ];
  const status = (paint ?? style.red)(String(event.status));
  const details = style.dim(`${event.durationMs.toFixed(1)} ms ${event.bytes} bytes${viewService(event)}`);
  const why = event.error === undefined ? 'client left' : 'broken off';
  const left = event.aborted === true ? style.yellow(` (${why})`) : '';
  return `${time} ${style.bold(escapeLine(event.method))} ${escapeLine(event.target)} ${status} ${details}${left}`;
}

/** `, 0.1 ms queued, 8.0 ms in worker 4711, 3.0 ms from http://127.0.0.1:3000/, id …`: what of it is known, and why it was refused. */
function viewService({
  status,
  reason,
  queueMs,
  workerMs,
  workerPid,
  upstream,
  upstreamMs,
  requestId,
}: RequestEvent): string {
  const parts: string[] = [];
  if (workerMs !== undefined || upstream !== undefined) parts.push(`${queueMs.toFixed(1)} ms queued`);
  if (workerMs !== undefined) parts.push(`${workerMs.toFixed(1)} ms in worker ${workerPid ?? '?'}`);
  // Of a failure it stands in a line of its own.
  if (reason !== undefined && status < 500) parts.push(reason);
  else if (upstream !== undefined)
    parts.push(`${upstreamMs === undefined ? 'no answer' : `${upstreamMs.toFixed(1)} ms`} from ${upstream}`);
  if (requestId !== undefined) parts.push(`id ${requestId}`);
  return parts.map((part) => `, ${escapeLine(part)}`).join('');
}

/** NCSA Common Log Format, as Apache and nginx write it. */
function viewCommon(event: RequestEvent): string {
  const { remoteAddress, user, method, target, httpVersion, status, bytes } = event;
  const request = quoted(`${method} ${target} HTTP/${httpVersion}`);
  // A space would end the field.
  const name = user === undefined ? '-' : escapeLine(user).replaceAll(' ', '\\x20');
  return `${remoteAddress} - ${name} [${formatLogDate(event.time)}] ${request} ${status} ${bytes}`;
}

/** `2026-03-01T12:30:01.250Z` → `01/Mar/2026:12:30:01 +0000`. */
function formatLogDate(iso: string): string {
  const month = MONTHS[Number(iso.slice(5, 7)) - 1];
  return `${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}

/** Quotes and backslashes are escaped as Apache does, or a field could end early. */
function quoted(text: string): string {
  return `"${escapeLine(text.replace(/["\\]/g, '\\$&'))}"`;
}

/** JSON leaves DEL, C1 and the bidi controls as they are; here they become `\u` escapes, which JSON reads back. */
function escapeJson(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
