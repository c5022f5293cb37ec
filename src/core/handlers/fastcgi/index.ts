import { NettoolError } from '../../errors.js';
import { errorResponse } from '../../http/error-response.js';
import { type IsTrusted, trustNobody } from '../../http/forwarded.js';
import { GatewayError, gatewayResponse } from '../../http/gateway-error.js';
import type { Handler } from '../../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { isIdempotent } from '../../http/methods.js';
import { mayHaveBody } from '../../http/request-copy.js';
import { type SpooledBody, spoolBody } from '../../http/spool.js';
import { parseStreamAddress } from '../../net/stream-dial.js';
import { cgiVariables, type ScriptPlace } from '../cgi-env.js';
import { aboutRequest, type OnHandlerEvent, tellFailure } from '../handler-events.js';
import { normalizePrefix } from '../mounts.js';
import { createRealFolder } from '../real-folder.js';
import { type ScriptOutput, toResponse } from '../script-answer.js';
import { createFastcgiClient, type FastcgiClient } from './client.js';
import type { FastcgiRequest } from './exchange.js';
import { encodeRequest } from './records.js';
import { createScriptCheck, locateApplication, locateScript, type ScriptFolder } from './script.js';

/** How a FastCGI application, php-fpm above all, is put behind a server. */
export interface FastcgiOptions {
  /** `host:port` or `unix:/path`. */
  readonly address: string;
  /** The folder with the scripts; without one the application answers every path below the prefix. */
  readonly root?: string;
  /** The same folder as the application sees it, when that is another one (a container, a chroot). */
  readonly scriptRoot?: string;
  readonly prefix?: string;
  readonly extensions?: readonly string[];
  readonly index?: string;
  /** Variables beside those of the request. */
  readonly env?: Readonly<Record<string, string>>;
  readonly connectTimeoutMs?: number;
  /** How long the application may be silent. */
  readonly timeoutMs?: number;
  readonly maxBodyBytes?: number;
  readonly maxConnections?: number;
  readonly maxWaiting?: number;
  readonly isTrusted?: IsTrusted;
  readonly onEvent?: OnHandlerEvent;
  /** Answers what is no script: the folder's other files. */
  readonly fallback?: Handler;
}

/** Answers with what a FastCGI application says (FastCGI 1.0), php-fpm first of all. */
export function createFastcgiHandler(options: FastcgiOptions): Handler {
  const address = parseStreamAddress(options.address);
  if (address === undefined) {
    throw new NettoolError('USAGE', `'${options.address}' is no FastCGI address`, {
      hint: 'write host:port or unix:/path',
    });
  }
  const { timeoutMs = 60_000, connectTimeoutMs = 3000, maxConnections = 256, maxWaiting = 1024 } = options;
  const locate = createLocator(options);
  const client = createFastcgiClient({ address, connectTimeoutMs, timeoutMs, maxConnections, maxWaiting });
  const settings = { ...options, onEvent: options.onEvent ?? (() => {}) };

  return {
    async handle(request) {
      const place = locate(request);
      if (place === 'missing') return errorResponse(404, request.headers);
      if (place === undefined) {
        return options.fallback?.handle(request) ?? errorResponse(404, request.headers);
      }
      try {
        return await answer(request, place, client, settings);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        if (error.status >= 500) tellFailure(settings.onEvent, 'fastcgi', request, error);
        return gatewayResponse(error.status, request.headers);
      }
    },
    async close() {
      client.close();
      await options.fallback?.close?.();
    },
  };
}

function createLocator(
  options: FastcgiOptions,
): (request: IncomingRequest) => ReturnType<typeof locateScript> {
  const prefix = normalizePrefix(options.prefix ?? '');
  if (options.root === undefined) return (request) => locateApplication(request, prefix);
  const root = createRealFolder(options.root);
  const folder: ScriptFolder = {
    root,
    scriptRoot: options.scriptRoot,
    prefix,
    extensions: options.extensions ?? ['.php'],
    index: options.index ?? 'index.php',
    isScript: createScriptCheck(root),
  };
  return (request) => locateScript(request, folder);
}

interface Settings extends FastcgiOptions {
  readonly onEvent: OnHandlerEvent;
}

async function answer(
  request: IncomingRequest,
  place: ScriptPlace,
  client: FastcgiClient,
  settings: Settings,
): Promise<HttpResponse> {
  const { signal, method } = request;
  const { maxBodyBytes: maxBytes } = settings;
  // php-fpm gives a child to a request, and reads nothing whose length it does not know: all of it has to be here first.
  const spool = mayHaveBody(request)
    ? await spoolBody(request.body, { signal, ...(maxBytes === undefined ? {} : { maxBytes }) })
    : undefined;
  try {
    const variables = variablesFor(request, place, spool, settings);
    const head = encodeRequest(variables, spool !== undefined);
    const makeRequest = (): FastcgiRequest => ({
      head,
      body: spool?.stream(),
      onStderr: (text) =>
        settings.onEvent({ type: 'application-log', handler: 'fastcgi', ...aboutRequest(request), text }),
    });
    const askedAt = performance.now();
    let sentAt = askedAt;
    const start = (): FastcgiRequest => {
      sentAt = performance.now();
      return makeRequest();
    };
    request.note?.({ upstream: settings.address });
    const call = { request: start, isIdempotent: isIdempotent(method), signal };
    const { reply, first, output } = await client.call(call);
    request.note?.({ queueMs: sentAt - askedAt, upstreamMs: performance.now() - sentAt });
    const disposing = disposeWith(output, spool);
    // PHP says `Status: 302` beside every Location; from others a lone one is for the client, too.
    if (reply.kind === 'local-redirect') {
      disposing.release(false);
      return { status: 302, headers: [['Location', reply.target]] };
    }
    const onBroken = (error: GatewayError): void => tellFailure(settings.onEvent, 'fastcgi', request, error);
    return toResponse(reply, first, disposing, { method, onBroken });
  } catch (error) {
    await spool?.dispose();
    throw error;
  }
}

function disposeWith(output: ScriptOutput, spool: SpooledBody | undefined): ScriptOutput {
  if (spool === undefined) return output;
  return {
    read: () => output.read(),
    rest: () => output.rest?.(),
    release(isComplete) {
      output.release(isComplete);
      void spool.dispose();
    },
  };
}

function variablesFor(
  request: IncomingRequest,
  place: ScriptPlace,
  spool: SpooledBody | undefined,
  { env, isTrusted = trustNobody }: Settings,
): Record<string, string> {
  const variables = cgiVariables(request, place, {
    bodyBytes: spool?.sizeBytes,
    passAuthorization: true,
    keepForwarded: isTrusted(request.peerAddress),
  });
  // As nginx's fastcgi_params has them: php-fpm compares and older applications read them.
  variables.DOCUMENT_URI = place.scriptName + place.pathInfo;
  variables.CONTENT_LENGTH ??= '';
  variables.CONTENT_TYPE ??= '';
  return Object.assign(variables, env);
}
