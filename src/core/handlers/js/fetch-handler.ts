import { onClientGone } from '../../http/client-gone.js';
import { GatewayError } from '../../http/gateway-error.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { Clock, type Timed } from '../../http/server/clock.js';
import type { FetchApplication } from './application.js';
import { applicationHeaders } from './application-headers.js';
import { FetchEnvironment } from './fetch-environment.js';
import { HostedRequest, type RequestSurroundings } from './hosted-request.js';
import { toHttpResponse } from './hosted-response.js';
import type { JsSettings } from './settings.js';

type WaitUntil = (promise: unknown) => void;

/** Answers with what `fetch(request, env, context)` of an application returns. */
export function createFetchAnswerer(app: FetchApplication, settings: JsSettings) {
  const { requestTimeoutMs, failed } = settings;
  const clock = new Clock(Math.max(10, Math.min(500, requestTimeoutMs / 4)));
  const waiting = new Set<Promise<unknown>>();
  const waitUntil: WaitUntil = (promise) => {
    const settled = Promise.resolve(promise).catch((error) => settings.logError(error));
    waiting.add(settled);
    void settled.finally(() => waiting.delete(settled));
  };
  const context = { waitUntil, passThroughOnException() {} };

  const answer = (request: IncomingRequest): HttpResponse | Promise<HttpResponse> => {
    try {
      const response = respond(request);
      return response instanceof Promise ? response.catch((error) => failed(request, error)) : response;
    } catch (error) {
      return failed(request, error);
    }
  };
  const respond = (request: IncomingRequest): HttpResponse | Promise<HttpResponse> => {
    if (request.method === 'TRACE') return { status: 405, headers: [] };
    const surroundings = new Surroundings(request, waitUntil);
    const hosted = new HostedRequest(request, applicationHeaders(request, settings), surroundings);
    const env = new FetchEnvironment(request, waitUntil);
    const result = app.fetch(hosted as unknown as Request, env, context);
    if (!(result instanceof Promise)) return toHttpResponse(result, request.method);
    return new Promise((resolve, reject) => {
      const timed: Timed = {
        deadline: clock.after(requestTimeoutMs),
        slot: undefined,
        onDeadline() {
          clock.unwatch(timed);
          surroundings.abort();
          reject(new GatewayError(504, `the application did not answer within ${requestTimeoutMs} ms`));
        },
      };
      clock.watch(timed);
      // An application that never answers a client that has left holds nothing up.
      onClientGone(request, () => clock.unwatch(timed));
      result.then(
        (value) => {
          clock.unwatch(timed);
          // Rejects by itself where the value is no response.
          resolve(Promise.try(toHttpResponse, value, request.method));
        },
        (error) => {
          clock.unwatch(timed);
          reject(error);
        },
      );
    });
  };
  return { answer, settled: async () => void (await Promise.all(waiting)) };
}

/** The application's signal is made when it asks for it: the client left, or the time is up. */
class Surroundings implements RequestSurroundings {
  readonly waitUntil: WaitUntil;
  readonly #request: IncomingRequest;
  #own: AbortController | undefined;
  #isOver = false;

  constructor(request: IncomingRequest, waitUntil: WaitUntil) {
    this.#request = request;
    this.waitUntil = waitUntil;
  }

  get signal(): AbortSignal {
    if (this.#own === undefined) {
      const own = new AbortController();
      const client = this.#request.signal;
      this.#own = own;
      if (this.#isOver || client.aborted) own.abort();
      else client.addEventListener('abort', () => own.abort(client.reason), { once: true });
    }
    return this.#own.signal;
  }

  abort(): void {
    this.#isOver = true;
    this.#own?.abort();
  }
}
