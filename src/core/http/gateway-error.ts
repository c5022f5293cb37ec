import { errorResponse } from './error-response.js';
import type { HeaderList, HttpResponse } from './messages.js';

/** Why a request could not be answered by what stands behind us: the status that says so, and a sentence for the log. */
export class GatewayError extends Error {
  readonly status: number;

  constructor(status: 413 | 500 | 502 | 503 | 504 | 508, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'GatewayError';
    this.status = status;
  }
}

/** The answer to a request that could not be passed on; who is turned away for want of room may come again soon. */
export function gatewayResponse(status: number, requestHeaders: HeaderList): HttpResponse {
  return errorResponse(status, requestHeaders, status === 503 ? [['Retry-After', '1']] : []);
}
