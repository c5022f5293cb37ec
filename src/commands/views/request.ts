import type { ClientResponse } from '../../core/http/client.js';
import type { HeaderList } from '../../core/http/messages.js';
import type { RedirectEvent } from '../../core/http/redirects.js';
import type { RequestHead } from '../../core/http/request-head.js';
import type { Style } from '../output/style.js';

/** The head of an answer as it came: status line and fields. */
export function viewResponseHead(response: ClientResponse, style: Style): string {
  const { httpVersion, status, reason, headers } = response;
  const paint = status < 300 ? style.green : status < 400 ? style.yellow : style.red;
  const words = reason === '' ? String(status) : `${status} ${style.foreign(reason)}`;
  return [`HTTP/${httpVersion} ${paint(words)}`, ...viewFields(headers, style)].join('\n');
}

/** The head of a request as it is sent; `isSecret` names the fields whose values are masked. */
export function viewRequestHead(
  { method, target, headers }: RequestHead,
  style: Style,
  isSecret: (name: string) => boolean,
): string {
  const shown = headers.map(([name, value]) => [name, isSecret(name) ? '***' : value] as const);
  return [`${style.bold(method)} ${target} HTTP/1.1`, ...viewFields(shown, style)].join('\n');
}

/** What a redirect to another origin left behind, if anything. */
export function viewRedirect({ target, dropped }: RedirectEvent): string | undefined {
  if (dropped.length === 0) return undefined;
  return `note: redirected to another origin, ${target.origin}, without ${dropped.join(', ')}`;
}

function viewFields(headers: HeaderList, style: Style): string[] {
  return headers.map(([name, value]) => `${style.cyan(style.foreign(name))}: ${style.foreign(value)}`);
}
