import { GatewayError } from '../gateway-error.js';
import { Refusal } from '../server/status.js';

/** A connection ended before anything of a reply came: the request may not have been seen at all. */
export class NoReply extends GatewayError {
  constructor(reason: string, cause?: unknown) {
    super(502, reason, cause);
  }
}

/** What the parser has against a reply, as the reason why a request was not answered. */
export function toReplyError(error: unknown): Error {
  return error instanceof Refusal ? new GatewayError(502, error.message, error) : (error as Error);
}
