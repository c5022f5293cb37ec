import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { NettoolError } from '../../errors.js';
import { isClientGone } from '../../http/client-gone.js';
import { errorResponse } from '../../http/error-response.js';
import { type IsTrusted, trustNobody } from '../../http/forwarded.js';
import { GatewayError } from '../../http/gateway-error.js';
import type { Handler } from '../../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { type OnHandlerEvent, tellFailure } from '../handler-events.js';
import {
  closeEach,
  type FoundApplication,
  findApplication,
  type JsApplication,
  type NodeApplication,
  serverApplication,
} from './application.js';
import { applicationStack } from './application-stack.js';
import { divertOutput } from './diverted-output.js';
import { createFetchAnswerer } from './fetch-handler.js';
import { HeldSignals } from './held-signals.js';
import { replaceFetchClasses } from './hosted-request.js';
import { setListenTrap } from './listen-trap.js';
import { type LoadedModule, loadModule } from './load.js';
import { createNodeAnswerer, upgradeNode } from './node-answerer.js';
import type { JsSettings } from './settings.js';

/** How a JavaScript or TypeScript application is hosted. */
export interface JsOptions {
  /** The module: `.js`, `.mjs`, `.cjs`, `.ts`, `.mts`, `.cts`. */
  readonly file: string;
  /** The module as it was named, for messages. */
  readonly name?: string;
  /** Where it is mounted. */
  readonly prefix?: string;
  /** The module exports a function that makes the application. */
  readonly factory?: boolean;
  /** Pages may tell why an application failed. */
  readonly debug?: boolean;
  /** Stacks in the log show all steps, also those through Node and nettool. */
  readonly wholeStacks?: boolean;
  /** Until an answer begins. */
  readonly requestTimeoutMs?: number;
  /** How long an application that opens its own server may take until it does. */
  readonly bootTimeoutMs?: number;
  /** How long an application may take to close. */
  readonly graceMs?: number;
  readonly isTrusted?: IsTrusted;
  /** Where what the application prints on stdout goes instead. */
  readonly output?: Writable;
  readonly onEvent?: OnHandlerEvent;
}

/** What was found in the module, for a line that says so. */
export interface JsHandler extends Handler {
  readonly kind: JsApplication['kind'];
}

/** Who has a request from its start to its answer. */
const THIS_PROCESS = Object.freeze({ workerPid: process.pid });

/**
 * Loads an application into this process and answers with what it answers. Rejects with what is wrong when it
 * cannot be loaded or exports nothing that can be served.
 */
export async function createJsHandler(options: JsOptions): Promise<JsHandler> {
  const {
    requestTimeoutMs = 60_000,
    bootTimeoutMs = 30_000,
    graceMs = 10_000,
    isTrusted = trustNobody,
    wholeStacks = false,
  } = options;
  const onEvent = options.onEvent ?? (() => {});
  const logError = (error: unknown): void =>
    onEvent({ type: 'application-log', handler: 'js', text: describe(error, wholeStacks) });
  const failed = (request: IncomingRequest, error: unknown): HttpResponse => {
    const { body } = request;
    // A body that is too large, too slow or broken off is the server's to answer, not the application's fault.
    if (body.errored !== null) throw body.errored;
    const status = error instanceof GatewayError ? error.status : 500;
    if (isClientGone(request, error)) return errorResponse(status, request.headers);
    tellFailure(onEvent, 'js', request, { status, message: describe(error, wholeStacks) });
    return errorResponse(status, request.headers);
  };
  const settings: JsSettings = { requestTimeoutMs, isTrusted, logError, failed };
  const restoreOutput = options.output === undefined ? () => {} : divertOutput(options.output);
  const restoreMode = options.debug === true ? () => {} : setProductionMode();
  const signals = new HeldSignals();
  const restore = (): void => {
    signals.release();
    restoreOutput();
    restoreMode();
  };
  // Before the application is loaded: it may take the classes as it begins.
  replaceFetchClasses();
  const found = await loadApplication(options, bootTimeoutMs).catch((error) => {
    const text =
      error instanceof Error && error.cause !== undefined ? describe(error.cause, wholeStacks) : '';
    // A line alone says what the error itself will say.
    if (text.includes('\n')) onEvent({ type: 'application-log', handler: 'js', text });
    restore();
    throw error;
  });
  const { app, reason, isMade } = found;
  const { name: target = options.file, prefix = '', factory } = options;
  const mount = prefix === '' ? target : `--app ${prefix}=${target}`;
  onEvent({
    type: 'application',
    handler: 'js',
    kind: app.kind,
    target,
    equivalent: isMade || factory === true ? `${mount} --factory` : mount,
    reason,
    framework: app.framework ?? null,
    prefix,
  });
  if (app.warning !== undefined) onEvent({ type: 'application-log', handler: 'js', text: app.warning });
  const fetching = app.kind === 'fetch' ? createFetchAnswerer(app, settings) : undefined;
  const answer = fetching?.answer ?? createNodeAnswerer(app as NodeApplication, settings);
  const forgetFailures = surviveFailures(logError);
  let ended: Promise<void> | undefined;
  const endApplication = (): Promise<void> => {
    ended ??= endWithin(graceMs, Promise.resolve(fetching?.settled()).then(found.close), logError).then(() =>
      signals.call(logError),
    );
    return ended;
  };
  let closed: Promise<void> | undefined;
  const handler: JsHandler = {
    kind: app.kind,
    handle(request) {
      request.note?.(THIS_PROCESS);
      return answer(request);
    },
    // It knows the WebSockets it has, and how to end them.
    retire: endApplication,
    close() {
      closed ??= endApplication().then(() => {
        forgetFailures();
        restore();
      });
      return closed;
    },
  };
  const { upgrade } = app;
  if (upgrade === undefined) return handler;
  return {
    ...handler,
    upgrade: (request, socket, head) =>
      upgradeNode(upgrade, request, socket, { head, settings }).catch((error) => failed(request, error)),
  };
}

/** Waits for an application to close, no longer than it may take. */
async function endWithin(
  graceMs: number,
  ended: Promise<void>,
  logError: (error: unknown) => void,
): Promise<void> {
  const timer = new AbortController();
  const late = delay(graceMs, undefined, { signal: timer.signal }).then(
    () => logError(new GatewayError(503, `the application did not close within ${graceMs / 1000} s`)),
    () => {},
  );
  await Promise.race([ended.catch(logError), late]);
  timer.abort();
}

async function loadApplication(options: JsOptions, bootTimeoutMs: number): Promise<FoundApplication> {
  const file = resolve(options.file);
  if (!existsSync(file)) {
    throw new NettoolError('INPUT_FAILED', `cannot serve ${options.file} (no such file or directory)`);
  }
  const trap = setListenTrap();
  let timer: NodeJS.Timeout | undefined;
  try {
    const module = await loadModule(file);
    const found = await findApplication(module, options.factory);
    if (found !== undefined) return found;
    if (trap.server !== undefined) return ofServer(trap.server);
    // One that exports something else is not one that opens its own server, sooner or later.
    if (hasExports(module)) throw nothingToServe(file);
    const late = new Promise<undefined>((settle) => {
      timer = setTimeout(settle, bootTimeoutMs, undefined);
    });
    const server = await Promise.race([trap.caught, late]);
    if (server !== undefined) return ofServer(server);
  } finally {
    clearTimeout(timer);
    trap.release();
  }
  throw nothingToServe(file);
}

function ofServer(server: Server): FoundApplication {
  return {
    app: serverApplication(server),
    reason: 'its own server, caught when it was to listen',
    isMade: false,
    close: () => closeEach(server),
  };
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

/** Frameworks show their errors on the page unless they are told that others read it. */
function setProductionMode(): () => void {
  if (process.env.NODE_ENV !== undefined) return () => {};
  process.env.NODE_ENV = 'production';
  return () => {
    delete process.env.NODE_ENV;
  };
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

function describe(error: unknown, isWhole: boolean): string {
  if (error instanceof GatewayError) return error.message;
  if (!(error instanceof Error)) return String(error);
  return isWhole && error.stack !== undefined ? error.stack : applicationStack(error);
}
