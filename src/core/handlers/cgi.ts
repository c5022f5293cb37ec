import { basename, dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { toNettoolError } from '../errors.js';
import { errorResponse } from '../http/error-response.js';
import { type IsTrusted, trustNobody } from '../http/forwarded.js';
import { GatewayError, gatewayResponse } from '../http/gateway-error.js';
import type { Handler } from '../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../http/messages.js';
import { mayHaveBody, redirectRequest } from '../http/request-copy.js';
import { type SpooledBody, spoolBody } from '../http/spool.js';
import { parseTarget } from '../http/target.js';
import { type RunningScript, runScript } from '../platform/script.js';
import { cgiVariables, type ScriptPlace } from './cgi-env.js';
import { type CgiReply, parseCgiHead } from './cgi-response.js';
import { findScript, pathBelow } from './cgi-script.js';
import { aboutRequest, type OnHandlerEvent, tellFailure } from './handler-events.js';
import { normalizePrefix } from './mounts.js';
import { readScriptHead, type ScriptOutput, toResponse } from './script-answer.js';
import { createTurnstile } from './turnstile.js';

/** How a folder of CGI scripts is served. */
export interface CgiOptions {
  /** The folder with the scripts. */
  readonly folder: string;
  /** The folder of the site's files, which PATH_TRANSLATED is below; that of the scripts when nothing is said. */
  readonly documentRoot?: string;
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

const DEFAULT_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };

/** The redirect that the last script asked for, and the request as the next one sees it. */
class LocalRedirect {
  readonly target: string;
  constructor(target: string) {
    this.target = target;
  }
}

/** Answers with what the scripts of a folder print (RFC 3875). */
export function createCgiHandler(options: CgiOptions): Handler {
  const folder = resolve(options.folder);
  const prefix = normalizePrefix(options.prefix ?? '');
  const { timeoutMs = 60_000, maxScripts = 32, maxWaiting = 256, onEvent = () => {} } = options;
  const settings = { killAfterMs: 2000, ...options, timeoutMs, onEvent };
  const turnstile = createTurnstile({ places: maxScripts, maxWaiting, maxWaitMs: timeoutMs });
  const running = new Set<RunningScript>();

  const tell = (request: IncomingRequest, error: GatewayError): void =>
    tellFailure(onEvent, 'cgi', request, error);

  const runOnce = async (request: IncomingRequest): Promise<HttpResponse | LocalRedirect> => {
    const found = await findScript(request, folder, prefix, options.documentRoot);
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

interface Settings extends CgiOptions {
  readonly timeoutMs: number;
  readonly killAfterMs: number;
  readonly onEvent: OnHandlerEvent;
}

interface Run {
  readonly request: IncomingRequest;
  readonly file: string;
  readonly place: ScriptPlace;
  readonly spool: SpooledBody | undefined;
  readonly settings: Settings;
  readonly running: Set<RunningScript>;
  /** Gives the place at the turnstile back. */
  readonly leave: () => void;
  readonly tell: (request: IncomingRequest, error: GatewayError) => void;
}

async function answerWith(run: Run): Promise<HttpResponse | LocalRedirect> {
  const { request, file, settings } = run;
  let script: RunningScript;
  try {
    script = await runScript({ file, cwd: dirname(file), env: environmentFor(run) });
  } catch (error) {
    run.leave();
    const isLost = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const sentence = 'cannot run the script';
    // The file was found a moment ago: it is the interpreter that is not.
    const message = isLost
      ? `${sentence} (the interpreter its first line names is not there)`
      : toNettoolError(error, sentence).message;
    throw new GatewayError(502, message, error);
  }
  run.running.add(script);
  script.ended.then(() => {
    run.running.delete(script);
    run.leave();
  });
  reportErrors(script, run);
  const input = run.spool?.stream();
  // It may close its input whenever it likes; that is no failure.
  if (input === undefined) script.stdin.end();
  else pipeline(input, script.stdin).catch(() => {});
  const output = readOutput(script, run);
  try {
    const allowStatusLine = basename(file).startsWith('nph-');
    const parse = (head: string): CgiReply => parseCgiHead(head, { allowStatusLine });
    const { reply, first } = await readScriptHead(output, parse);
    if (reply.kind === 'document') {
      const onBroken = (error: GatewayError): void => run.tell(request, error);
      return toResponse(reply, first, output, { method: request.method, onBroken });
    }
    output.release(false);
    return new LocalRedirect(reply.target);
  } catch (error) {
    output.release(false);
    throw request.signal.aborted ? error : withEnding(error, await endOf(script, settings.killAfterMs));
  }
}

/** The script's standard output; silence longer than the time-out, and a client that left, end the script. */
function readOutput(script: RunningScript, { request, settings, spool }: Run): ScriptOutput {
  const { timeoutMs, killAfterMs } = settings;
  const chunks = script.stdout[Symbol.asyncIterator]();
  const startedAt = performance.now();
  const stop = (): void => {
    script.stop(killAfterMs);
    script.stdout.destroy();
  };
  request.signal.addEventListener('abort', stop, { once: true });
  if (request.signal.aborted) stop();
  let isReleased = false;
  return {
    async read() {
      // Only while we wait for the script: a client that reads slowly is none of its faults.
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        stop();
      }, timeoutMs);
      try {
        const { done, value } = await chunks.next();
        request.note?.({ workerMs: performance.now() - startedAt, workerPid: script.pid });
        if (isLate) throw new GatewayError(504, `the script said nothing for ${timeoutMs} ms`);
        return done === true ? undefined : (value as Buffer);
      } catch (error) {
        throw isLate ? new GatewayError(504, `the script said nothing for ${timeoutMs} ms`) : error;
      } finally {
        clearTimeout(timer);
      }
    },
    release(isComplete) {
      if (isReleased) return;
      isReleased = true;
      request.signal.removeEventListener('abort', stop);
      void spool?.dispose();
      if (!isComplete) return stop();
      // It has closed its output and may tidy up now, but not for ever.
      const late = setTimeout(stop, timeoutMs);
      script.ended.then(() => clearTimeout(late));
    },
  };
}

/** The whole environment of a script. What spawn takes are strings, which it writes as UTF-8. */
function environmentFor({ request, place, spool, settings }: Run): Record<string, string> {
  const isTrusted = settings.isTrusted ?? trustNobody;
  const variables = cgiVariables(request, place, {
    bodyBytes: spool?.sizeBytes,
    keepForwarded: isTrusted(request.peerAddress),
  });
  const env: Record<string, string> = { ...DEFAULT_ENV, ...settings.env };
  for (const [name, value] of Object.entries(variables)) env[name] = Buffer.from(value, 'latin1').toString();
  return env;
}

/** What the script writes to stderr goes to the log, a line at a time. */
function reportErrors(script: RunningScript, { request, settings }: Run): void {
  const lines = createInterface({ input: script.stderr, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (text) => {
    settings.onEvent({ type: 'application-log', handler: 'cgi', ...aboutRequest(request), text });
  });
  script.stderr.on('error', () => {});
}

/** How it ended, when it does so soon: a script that failed mostly has left by the time we see that. */
async function endOf(script: RunningScript, withinMs: number): Promise<string> {
  const end = await Promise.race([script.ended, delay(withinMs + 1000, undefined, { ref: false })]);
  if (end === undefined) return '';
  return end.signal === null ? ` (exit code ${end.code})` : ` (${end.signal})`;
}

function withEnding(error: unknown, ending: string): unknown {
  if (!(error instanceof GatewayError) || error.status !== 502) return error;
  return new GatewayError(502, `${error.message}${ending}`, error);
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
