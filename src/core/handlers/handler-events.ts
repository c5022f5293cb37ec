/** What a handler says while it runs; plain data for logs and reports, never for the page. */
export type HandlerEvent = JsApplicationEvent | ApplicationLogEvent | ApplicationErrorEvent | UpstreamEvent;

/** Which handler speaks. */
export type HandlerKind = 'cgi' | 'fastcgi' | 'js' | 'proxy';

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
export interface ApplicationLogEvent {
  readonly type: 'application-log';
  readonly handler: HandlerKind;
  /** Of the request it was about; absent for what belongs to none. */
  readonly method?: string;
  readonly target?: string;
  readonly text: string;
}

/** Why a request was answered with a 5xx, or its answer broken off. */
export interface ApplicationErrorEvent {
  readonly type: 'application-error';
  readonly handler: HandlerKind;
  readonly method: string;
  readonly target: string;
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
