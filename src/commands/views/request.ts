import type { ClientResponse } from '../../core/http/client.js';
import type { HeaderList, OutgoingRequest } from '../../core/http/messages.js';
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
  { method, target, headers, httpVersion }: RequestHead,
  style: Style,
  isSecret: (name: string) => boolean,
): string {
  const shown = headers.map(([name, value]) => [name, isSecret(name) ? '***' : value] as const);
  return [
    `${style.bold(method)} ${style.foreign(target)} HTTP/${httpVersion}`,
    ...viewFields(shown, style),
  ].join('\n');
}

/** A request that was sent (or would be): its head (`H`), its body (`B`), or both. */
export function viewSentRequest(
  { head, request }: { readonly head: RequestHead; readonly request: OutgoingRequest },
  parts: string,
  style: Style,
  isSecret: (name: string) => boolean,
): string {
  const shown = [
    ...(parts.includes('H') ? [viewRequestHead(head, style, isSecret)] : []),
    ...(parts.includes('B') && request.body !== undefined ? [viewRequestBody(request.body, style)] : []),
  ];
  return shown.join('\n\n');
}

function viewRequestBody(body: NonNullable<OutgoingRequest['body']>, style: Style): string {
  if (typeof body === 'string') return style.foreign(body);
  if (!(body instanceof Uint8Array)) {
    const size = 'sizeBytes' in body ? body.sizeBytes : undefined;
    return style.dim(`(a body of ${size ?? 'unknown'} bytes, sent as it is read)`);
  }
  const text = Buffer.from(body).toString();
  const isText = Buffer.from(text).equals(body) && !text.includes('\0');
  return isText ? style.foreign(text) : style.dim(`(${body.length} binary bytes)`);
}

/** What a redirect to another origin left behind, if anything. */
export function viewRedirect({ target, dropped }: RedirectEvent): string | undefined {
  if (dropped.length === 0) return undefined;
  return `note: redirected to another origin, ${target.origin}, without ${dropped.join(', ')}`;
}

function viewFields(headers: HeaderList, style: Style): string[] {
  return headers.map(([name, value]) => `${style.cyan(style.foreign(name))}: ${style.foreign(value)}`);
}
