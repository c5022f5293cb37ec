import type { IsTrusted } from '../../http/forwarded.js';

/** What the parts of the JavaScript host share. */
export interface JsSettings {
  readonly requestTimeoutMs: number;
  readonly isTrusted: IsTrusted;
  /** Something that happened beside any request. */
  readonly logError: (error: unknown) => void;
}
