import type { Readable } from 'node:stream';
import { GatewayError, gatewayResponse } from '../../http/gateway-error.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { isIdempotent } from '../../http/methods.js';
import type { SpooledBody } from '../../http/spool.js';
import type { ScriptPlace } from '../cgi-env.js';
import { aboutRequest, type OnHandlerEvent, tellFailure } from '../handler-events.js';
import { type AnswerOptions, type ScriptHead, type ScriptOutput, toResponse } from '../script-answer.js';
import type { Exchange, FastcgiCall } from './exchange.js';

/** What there is to be asked, and who is told how that went. */
export interface CallOptions {
  readonly request: IncomingRequest;
  readonly place: ScriptPlace;
  /** Everything but the body, as `encodeRequest` made it. */
  readonly head: string;
  readonly spool: SpooledBody | undefined;
  /** The application's, for logs. */
  readonly address: string;
  readonly onEvent: OnHandlerEvent;
}

/** A client's request on its way through the application, and the answer that comes of it. */
export class Call implements FastcgiCall, AnswerOptions {
  sinceMs = 0;
  isRepeatable: boolean;
  exchange: Exchange | undefined;
  readonly #options: CallOptions;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #askedMs = performance.now();
  #sentMs: number | undefined;

  constructor(
    options: CallOptions,
    resolve: (response: HttpResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.isRepeatable = isIdempotent(options.request.method);
  }

  get signal(): AbortSignal {
    return this.#options.request.signal;
  }

  get method(): string {
    return this.#options.request.method;
  }

  begin(): string {
    this.#sentMs = performance.now();
    return this.#options.head;
  }

  body(): Buffer | Readable | undefined {
    const { spool } = this.#options;
    return spool?.bytes ?? spool?.stream();
  }

  onStderr(line: string): void {
    const { onEvent, request, place } = this.#options;
    // Which one it looked for php-fpm does not say: mostly it sees the folder elsewhere, or may not read it.
    const script = line === 'Primary script unknown' ? place.scriptFilename : undefined;
    const text = script === undefined ? line : `${line}: ${Buffer.from(script, 'latin1')}`;
    onEvent({ type: 'application-log', handler: 'fastcgi', ...aboutRequest(request), text });
  }

  onHead({ reply, first }: ScriptHead, output: ScriptOutput): void {
    const { request, address: upstream, spool } = this.#options;
    const sentMs = this.#sentMs as number;
    request.note?.({ upstream, queueMs: sentMs - this.#askedMs, upstreamMs: performance.now() - sentMs });
    try {
      if (reply.kind === 'document') {
        this.#resolve(toResponse(reply, first, disposing(output, spool), this));
      } else {
        // PHP says `Status: 302` beside every Location; from others a lone one is for the client, too.
        disposing(output, spool).release(false);
        this.#resolve({ status: 302, headers: [['Location', reply.target]] });
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  onFailure(error: unknown): void {
    const { request, address: upstream, spool } = this.#options;
    request.note?.({ upstream });
    void spool?.dispose();
    this.#fail(error);
  }

  onBroken(error: GatewayError): void {
    tellFailure(this.#options.onEvent, 'fastcgi', this.#options.request, error);
  }

  #fail(error: unknown): void {
    const { request, onEvent } = this.#options;
    if (error instanceof GatewayError) this.#resolve(refuse(error, request, onEvent));
    else this.#reject(error);
  }
}

/** The answer to a request that the application could not be asked, or did not answer. */
export function refuse(error: GatewayError, request: IncomingRequest, onEvent: OnHandlerEvent): HttpResponse {
  if (error.status >= 500) tellFailure(onEvent, 'fastcgi', request, error);
  return gatewayResponse(error.status, request.headers);
}

/** The output whose end is also that of the request's body. */
function disposing(output: ScriptOutput, spool: SpooledBody | undefined): ScriptOutput {
  if (spool === undefined) return output;
  return {
    read: () => output.read(),
    rest: () => output.rest?.(),
    release(isAnswered) {
      output.release(isAnswered);
      void spool.dispose();
    },
  };
}
