import type { IncomingRequest } from '../http/messages.js';

/** What a handler says while it runs; plain data for logs and reports, never for the page. */
export type HandlerEvent = JsApplicationEvent | ApplicationLogEvent | ApplicationErrorEvent | UpstreamEvent;

/** Which handler speaks. */
export type HandlerKind = 'cgi' | 'fastcgi' | 'js' | 'proxy';

/** The request something was about. */
interface AboutRequest {
  readonly method: string;
  readonly target: string;
  readonly requestId?: string;
}

/** Which application was found in a JavaScript or TypeScript module, and how to ask for exactly this one. */
export interface JsApplicationEvent {
  readonly type: 'application';
  readonly handler: 'js';
  readonly kind: 'fetch' | 'node';
  /** The module, as it was named. */
  readonly target: string;
  /** The target and flags that mean exactly this. */
  readonly equivalent: string;
  readonly reason: string;
  readonly framework: string | null;
  /** Where it is mounted. */
  readonly prefix: string;
}

/** What an application wrote where it complains: stderr of a script, PHP's messages. */
export interface ApplicationLogEvent extends Partial<AboutRequest> {
  readonly type: 'application-log';
  readonly handler: HandlerKind;
  readonly text: string;
}

/** Why a request was answered with a 5xx, or its answer broken off. */
export interface ApplicationErrorEvent extends AboutRequest {
  readonly type: 'application-error';
  readonly handler: HandlerKind;
  readonly status: number;
  readonly message: string;
}

/** A server behind a proxy was taken out of the rotation, or put back. */
export interface UpstreamEvent {
  readonly type: 'upstream';
  readonly url: string;
  readonly state: 'up' | 'down';
  readonly reason: string;
}

/** Takes the events of a handler. */
export type OnHandlerEvent = (event: HandlerEvent) => void;

/** What of a request stands in an event that is about it. */
export function aboutRequest({ method, target, requestId }: IncomingRequest): AboutRequest {
  return requestId === undefined ? { method, target } : { method, target, requestId };
}

/** Tells why a request was answered with a 5xx, or its answer broken off: as an event, and in that of the request. */
export function tellFailure(
  onEvent: OnHandlerEvent,
  handler: HandlerKind,
  request: IncomingRequest,
  { status, message }: { readonly status: number; readonly message: string },
): void {
  request.note?.({ reason: message });
  onEvent({ type: 'application-error', handler, ...aboutRequest(request), status, message });
}
