import type { IsTrusted } from '../../http/forwarded.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';

/** What the parts of the JavaScript host share. */
export interface JsSettings {
  readonly requestTimeoutMs: number;
  readonly isTrusted: IsTrusted;
  /** Something that happened beside any request. */
  readonly logError: (error: unknown) => void;
  /** Logs why the application failed a request, and says what is answered; throws what is not its fault. */
  readonly failed: (request: IncomingRequest, error: unknown) => HttpResponse;
}
