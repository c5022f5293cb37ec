import { chooseType } from './accept.js';
import { getHeader } from './headers.js';
import { htmlPage, PAGE_POLICY } from './html.js';
import type { HeaderList, HttpResponse } from './messages.js';
import { REASONS } from './server/status.js';

/**
 * A status as a small page, JSON or text, as the client prefers. It holds the status and nothing else: no word of
 * the request, no path of the disk, no reason of a failure.
 */
export function errorResponse(
  status: number,
  requestHeaders: HeaderList,
  extra: HeaderList = [],
): HttpResponse {
  const phrase = REASONS[status] ?? 'Error';
  const type = chooseType(getHeader(requestHeaders, 'accept'), [
    'text/plain',
    'text/html',
    'application/json',
  ]);
  const bodies = {
    'text/plain': () => `${status} ${phrase}\n`,
    'text/html': () => htmlPage(`${status} ${phrase}`, `<h1>${status} ${phrase}</h1>`),
    'application/json': () => `${JSON.stringify({ status, error: phrase })}\n`,
  };
  return {
    status,
    headers: [
      ['Content-Type', `${type}; charset=utf-8`],
      ['Cache-Control', 'no-store'],
      ['Vary', 'Accept'],
      ['X-Content-Type-Options', 'nosniff'],
      ['Content-Security-Policy', PAGE_POLICY],
      ...extra,
    ],
    body: bodies[type](),
  };
}
