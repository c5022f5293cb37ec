import type { HttpResponse, IncomingRequest } from '../../http/messages.js';

/**
 * Sends a client to another canonical path, its query kept. Encoded anew: a canonical path has one slash in front, so
 * it cannot name another site (`//evil.com`).
 */
export function redirectTo(path: string, { query }: IncomingRequest): HttpResponse {
  const location = `${path.split('/').map(encodeURIComponent).join('/')}${query === '' ? '' : `?${query}`}`;
  return {
    status: 301,
    headers: [
      ['Location', location],
      // What is a folder today may be a file tomorrow.
      ['Cache-Control', 'no-cache'],
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['X-Content-Type-Options', 'nosniff'],
    ],
    body: '301 Moved Permanently\n',
  };
}
