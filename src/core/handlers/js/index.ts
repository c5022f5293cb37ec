import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { NettoolError } from '../../errors.js';
import { errorResponse } from '../../http/error-response.js';
import { type IsTrusted, trustNobody } from '../../http/forwarded.js';
import { GatewayError } from '../../http/gateway-error.js';
import type { Handler } from '../../http/handler.js';
import { getHeader } from '../../http/headers.js';
import { endToEndHeaders } from '../../http/hop-by-hop.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { joinUpgrade } from '../../http/upstream/join.js';
import type { UpstreamReply } from '../../http/upstream/types.js';
import { type OnHandlerEvent, tellFailure } from '../handler-events.js';
import { findApplication, type JsApplication, serverApplication } from './application.js';
import { divertOutput } from './diverted-output.js';
import { createFetchAnswerer } from './fetch-handler.js';
import { setListenTrap } from './listen-trap.js';
import { type LoadedModule, loadModule } from './load.js';
import { createNodeBridge } from './node-bridge.js';
import type { JsSettings } from './settings.js';

/** How a JavaScript or TypeScript application is hosted. */
export interface JsOptions {
  /** The module: `.js`, `.mjs`, `.cjs`, `.ts`, `.mts`, `.cts`. */
  readonly file: string;
  /** Until an answer begins. */
  readonly requestTimeoutMs?: number;
  /** How long an application that opens its own server may take until it does. */
  readonly bootTimeoutMs?: number;
  readonly isTrusted?: IsTrusted;
  /** Where what the application prints on stdout goes instead. */
  readonly output?: Writable;
  readonly onEvent?: OnHandlerEvent;
}

/** What was found in the module, for a line that says so. */
export interface JsHandler extends Handler {
  readonly kind: JsApplication['kind'];
}

/**
 * Loads an application into this process and answers with what it answers. Rejects with what is wrong when it
 * cannot be loaded or exports nothing that can be served.
 */
export async function createJsHandler(options: JsOptions): Promise<JsHandler> {
  const { requestTimeoutMs = 60_000, bootTimeoutMs = 30_000, isTrusted = trustNobody } = options;
  const onEvent = options.onEvent ?? (() => {});
  const logError = (error: unknown): void =>
    onEvent({ type: 'application-log', handler: 'js', text: describe(error) });
  const settings: JsSettings = { requestTimeoutMs, isTrusted, logError };
  const restoreOutput = options.output === undefined ? () => {} : divertOutput(options.output);
  const app = await loadApplication(resolve(options.file), bootTimeoutMs, logError).catch((error) => {
    restoreOutput();
    throw error;
  });
  const bridge =
    app.kind === 'node' || app.upgrade !== undefined ? createNodeBridge(app, settings) : undefined;
  const fetching = app.kind === 'fetch' ? createFetchAnswerer(app, settings) : undefined;
  const forgetFailures = surviveFailures(logError);

  const failed = (request: IncomingRequest, error: unknown): HttpResponse => {
    const { body } = request;
    // A body that is too large, too slow or broken off is the server's to answer, not the application's fault.
    if (body.errored !== null) throw body.errored;
    const status = error instanceof GatewayError ? error.status : 500;
    tellFailure(onEvent, 'js', request, { status, message: describe(error) });
    return errorResponse(status, request.headers);
  };
  const handle = async (request: IncomingRequest): Promise<HttpResponse> => {
    const calledAt = performance.now();
    try {
      if (fetching !== undefined) return await fetching.answer(request);
      return fromReply(await (bridge as NonNullable<typeof bridge>).send(request));
    } catch (error) {
      return failed(request, error);
    } finally {
      request.note?.({ workerMs: performance.now() - calledAt, workerPid: process.pid });
    }
  };
  const handler: JsHandler = {
    kind: app.kind,
    handle,
    async close() {
      forgetFailures();
      restoreOutput();
      bridge?.close();
      await fetching?.settled();
      await app.close();
    },
  };
  if (app.upgrade === undefined || bridge === undefined) return handler;
  return {
    ...handler,
    async upgrade(request, socket, head) {
      try {
        const reply = await bridge.send(request, getHeader(request.headers, 'upgrade'));
        if (reply.upgraded === undefined) return fromReply(reply);
        await joinUpgrade(reply, socket, head);
        return undefined;
      } catch (error) {
        return failed(request, error);
      }
    },
  };
}

async function loadApplication(
  file: string,
  bootTimeoutMs: number,
  logError: (error: unknown) => void,
): Promise<JsApplication> {
  const trap = setListenTrap();
  let timer: NodeJS.Timeout | undefined;
  try {
    const module = await loadModule(file);
    const found = await findApplication(module);
    if (found !== undefined) return found;
    if (trap.server !== undefined) return serverApplication(trap.server);
    // One that exports something else is not one that opens its own server, sooner or later.
    if (hasExports(module)) throw nothingToServe(file);
    const late = new Promise<undefined>((settle) => {
      timer = setTimeout(settle, bootTimeoutMs, undefined);
    });
    const server = await Promise.race([trap.caught, late]);
    if (server !== undefined) return serverApplication(server);
  } catch (error) {
    if (error instanceof Error && error.cause !== undefined) logError(error.cause);
    throw error;
  } finally {
    clearTimeout(timer);
    trap.release();
  }
  throw nothingToServe(file);
}

/** Every CommonJS module has an object as its default; one that nothing was put into is no export. */
function hasExports({ default: main, 'module.exports': _common, ...others }: LoadedModule): boolean {
  const isEmpty =
    main === undefined || (typeof main === 'object' && main !== null && !Object.keys(main).length);
  return !isEmpty || Object.keys(others).length > 0;
}

function nothingToServe(file: string): NettoolError {
  return new NettoolError('INTERNAL', `${file} exports nothing that can be served`, {
    hint: 'export default { fetch(request) {…} }, a Node request listener (req, res), or an Express, Koa, Fastify or Hono application',
  });
}

function fromReply({ head, body, trailers }: UpstreamReply): HttpResponse {
  const { status, reason } = head;
  const response = { status, reason, headers: endToEndHeaders(head.headers) };
  if (body === undefined) return response;
  return Buffer.isBuffer(body) ? { ...response, body } : { ...response, body, trailers };
}

/** What an application forgot to catch goes to the log; the requests of others go on. */
function surviveFailures(logError: (error: unknown) => void): () => void {
  process.on('uncaughtException', logError);
  process.on('unhandledRejection', logError);
  return () => {
    process.off('uncaughtException', logError);
    process.off('unhandledRejection', logError);
  };
}

function describe(error: unknown): string {
  if (error instanceof GatewayError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
