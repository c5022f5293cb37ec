import { errorResponse } from './error-response.js';
import type { Handler } from './handler.js';
import { getHeader } from './headers.js';

/** Sends every request to the same place on the HTTPS server at a port of the same host. */
export function redirectToHttps(port: number): Handler {
  return {
    handle(request) {
      const host = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d+)?$/i.exec(
        getHeader(request.headers, 'host') ?? '',
      )?.[1];
      if (host === undefined) return errorResponse(400, request.headers);
      const query = request.query === '' ? '' : `?${request.query}`;
      const place = `https://${host}${port === 443 ? '' : `:${port}`}${request.rawPath}${query}`;
      const status = request.method === 'GET' || request.method === 'HEAD' ? 301 : 308;
      return {
        status,
        headers: [
          ['Location', place],
          ['Content-Type', 'text/plain; charset=utf-8'],
        ],
        body: `${place}\n`,
      };
    },
  };
}
