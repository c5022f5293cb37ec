import { resolve } from 'node:path';
import { errorResponse } from '../http/error-response.js';
import type { IsTrusted } from '../http/forwarded.js';
import { GatewayError, gatewayResponse } from '../http/gateway-error.js';
import type { Handler } from '../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../http/messages.js';
import { mayHaveBody, redirectRequest } from '../http/request-copy.js';
import { spoolBody } from '../http/spool.js';
import { parseTarget } from '../http/target.js';
import type { RunningScript } from '../platform/script.js';
import { answerWith, LocalRedirect } from './cgi-run.js';
import { findScript, type ScriptSource } from './cgi-script.js';
import { aboutRequest, type OnHandlerEvent, tellFailure } from './handler-events.js';
import { normalizePrefix, pathBelow } from './mounts.js';
import { redirectTo } from './static/redirect.js';
import { createTurnstile } from './turnstile.js';

/** How a folder of CGI scripts is served. */
export interface CgiOptions {
  /** The folder with the scripts; or one script, which then answers for every path below the prefix. */
  readonly scripts: string;
  /** The folder of the site's files, which PATH_TRANSLATED is below; that of the scripts when nothing is said. */
  readonly documentRoot?: string;
  /** Run what links lead to that leave the folder. */
  readonly followLinks?: boolean;
  /** The names of scripts that answer for their folder: `index.cgi` when nothing is said. */
  readonly index?: readonly string[];
  /** Where it is mounted: `/cgi-bin`. */
  readonly prefix?: string;
  /** Variables the scripts get beside those of the request. PATH and LANG have defaults. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long a script may be silent. */
  readonly timeoutMs?: number;
  /** How long it may take to leave when asked to. */
  readonly killAfterMs?: number;
  readonly maxBodyBytes?: number;
  /** How many scripts may run at a time. */
  readonly maxScripts?: number;
  readonly maxWaiting?: number;
  /** Answers local redirects to what is not below the prefix. */
  readonly elsewhere?: Handler['handle'];
  readonly isTrusted?: IsTrusted;
  readonly onEvent?: OnHandlerEvent;
}

/** A local redirect that leads to a local redirect that leads … ends somewhere. */
const MAX_LOCAL_REDIRECTS = 5;

/** Answers with what the scripts of a folder print (RFC 3875). */
export function createCgiHandler(options: CgiOptions): Handler {
  const scripts = resolve(options.scripts);
  const prefix = normalizePrefix(options.prefix ?? '');
  const { documentRoot = scripts, followLinks = false, index = ['index.cgi'] } = options;
  const source: ScriptSource = { scripts, prefix, documentRoot, followLinks, index };
  const { timeoutMs = 60_000, maxScripts = 32, maxWaiting = 256, onEvent = () => {} } = options;
  const settings = { killAfterMs: 2000, ...options, timeoutMs, onEvent };
  const turnstile = createTurnstile({ places: maxScripts, maxWaiting, maxWaitMs: timeoutMs });
  const running = new Set<RunningScript>();

  const tell = (request: IncomingRequest, error: GatewayError): void =>
    tellFailure(onEvent, 'cgi', request, error);

  const runOnce = async (request: IncomingRequest): Promise<HttpResponse | LocalRedirect> => {
    const found = await findScript(request, source);
    if ('redirect' in found) return redirectTo(found.redirect, request);
    if ('status' in found) {
      if (found.reason !== undefined)
        onEvent({ type: 'application-log', handler: 'cgi', ...aboutRequest(request), text: found.reason });
      return errorResponse(found.status, request.headers);
    }
    const { maxBodyBytes: maxBytes } = options;
    const { signal } = request;
    const spool = mayHaveBody(request)
      ? await spoolBody(request.body, { signal, ...(maxBytes === undefined ? {} : { maxBytes }) })
      : undefined;
    try {
      const askedAt = performance.now();
      const leave = await turnstile.enter(signal);
      request.note?.({ queueMs: performance.now() - askedAt });
      return await answerWith({ request, ...found, spool, settings, running, leave, tell });
    } catch (error) {
      await spool?.dispose();
      throw error;
    }
  };

  const handle = async (request: IncomingRequest): Promise<HttpResponse> => {
    try {
      let current = request;
      for (let hop = 0; hop <= MAX_LOCAL_REDIRECTS; hop += 1) {
        const answer = await runOnce(current);
        if (!(answer instanceof LocalRedirect)) return answer;
        const next = redirected(request, answer.target);
        if (next === undefined || next.target === current.target) break;
        if (pathBelow(next.path, prefix) === undefined && options.elsewhere !== undefined) {
          return await options.elsewhere(next);
        }
        current = next;
      }
      throw new GatewayError(502, 'the script redirects without an end');
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (error.status >= 500) tell(request, error);
      return gatewayResponse(error.status, request.headers);
    }
  };

  return {
    handle,
    async close() {
      const all = [...running];
      for (const script of all) script.stop(settings.killAfterMs);
      await Promise.all(all.map(({ ended }) => ended));
    },
  };
}

/** The request a local redirect asks for: GET, without a body (RFC 3875, section 6.2.2). */
function redirected(request: IncomingRequest, target: string): IncomingRequest | undefined {
  const parsed = parseTarget(target);
  if (parsed === undefined) return undefined;
  const ofContent = /^(?:content-(?:length|type|encoding)|transfer-encoding|expect)$/i;
  const headers = request.headers.filter(([name]) => !ofContent.test(name));
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
  return redirectRequest(request, { ...parsed, method, target, headers });
}
