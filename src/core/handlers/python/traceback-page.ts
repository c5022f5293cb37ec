import type { HttpResponse } from '../../http/messages.js';

/** A failure with its traceback as plain text, for those who develop the application: never for the public. */
export function tracebackPage(status: number, text: string): HttpResponse {
  return {
    status,
    headers: [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
    ],
    body: `${status}\n\n${text}`,
  };
}
