import { GatewayError } from '../../http/gateway-error.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import type { FetchApplication } from './application.js';
import { applicationHeaders } from './application-headers.js';
import { acceptHostedRequests, HostedRequest } from './hosted-request.js';
import { toHttpResponse } from './hosted-response.js';
import type { JsSettings } from './settings.js';

/** Answers with what `fetch(request, env, context)` of an application returns. */
export function createFetchAnswerer(app: FetchApplication, settings: JsSettings) {
  acceptHostedRequests();
  const { requestTimeoutMs } = settings;
  const waiting = new Set<Promise<unknown>>();
  const waitUntil = (promise: unknown): void => {
    const settled = Promise.resolve(promise).catch((error) => settings.logError(error));
    waiting.add(settled);
    void settled.finally(() => waiting.delete(settled));
  };
  const context = { waitUntil, passThroughOnException() {} };

  const answer = async (request: IncomingRequest): Promise<HttpResponse> => {
    if (request.method === 'TRACE') return { status: 405, headers: [] };
    const leaving = new Leaving(request.signal);
    const hosted = new HostedRequest(request, applicationHeaders(request, settings), () => leaving.signal);
    const { remoteAddress, remotePort, localAddress, localPort, scheme } = request;
    const env = { remoteAddress, remotePort, localAddress, localPort, scheme, waitUntil };
    const result = app.fetch(hosted as unknown as Request, env, context);
    if (!(result instanceof Promise)) return toHttpResponse(result, request.method);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        leaving.abort();
        reject(new GatewayError(504, `the application did not answer within ${requestTimeoutMs} ms`));
      }, requestTimeoutMs);
      // An application that never answers a client that has left holds nothing up.
      timer.unref();
    });
    try {
      return await toHttpResponse(await Promise.race([result, late]), request.method);
    } finally {
      clearTimeout(timer);
    }
  };
  return { answer, settled: async () => void (await Promise.all(waiting)) };
}

/** The application's signal, made when it asks for it: the client left, or the time is up. */
class Leaving {
  readonly #client: AbortSignal;
  #own: AbortController | undefined;
  #isOver = false;

  constructor(client: AbortSignal) {
    this.#client = client;
  }

  get signal(): AbortSignal {
    if (this.#own === undefined) {
      const own = new AbortController();
      this.#own = own;
      if (this.#isOver || this.#client.aborted) own.abort();
      else this.#client.addEventListener('abort', () => own.abort(this.#client.reason), { once: true });
    }
    return this.#own.signal;
  }

  abort(): void {
    this.#isOver = true;
    this.#own?.abort();
  }
}
