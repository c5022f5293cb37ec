import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { toNettoolError } from '../errors.js';
import { trustNobody } from '../http/forwarded.js';
import { GatewayError } from '../http/gateway-error.js';
import type { HttpResponse, IncomingRequest } from '../http/messages.js';
import type { SpooledBody } from '../http/spool.js';
import { deliverLines } from '../platform/lines.js';
import { type RunningScript, runScript } from '../platform/script.js';
import type { CgiOptions } from './cgi.js';
import { cgiVariables, type ScriptPlace } from './cgi-env.js';
import { type CgiReply, parseCgiHead } from './cgi-response.js';
import { aboutRequest, type OnHandlerEvent } from './handler-events.js';
import { readScriptHead, type ScriptOutput, toResponse } from './script-answer.js';

const DEFAULT_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };

/** How every script of a folder is run. */
export interface RunSettings extends Pick<CgiOptions, 'env' | 'isTrusted'> {
  readonly timeoutMs: number;
  readonly killAfterMs: number;
  readonly onEvent: OnHandlerEvent;
}

/** A script that is to answer a request. */
export interface ScriptRun {
  readonly request: IncomingRequest;
  readonly file: string;
  readonly place: ScriptPlace;
  readonly spool: SpooledBody | undefined;
  readonly settings: RunSettings;
  readonly running: Set<RunningScript>;
  /** Gives the place at the turnstile back. */
  readonly leave: () => void;
  readonly tell: (request: IncomingRequest, error: GatewayError) => void;
}

/** Another path of this server is to answer in the script's place. */
export class LocalRedirect {
  readonly target: string;
  constructor(target: string) {
    this.target = target;
  }
}

/** Runs a script and answers with what it prints. */
export async function answerWith(run: ScriptRun): Promise<HttpResponse | LocalRedirect> {
  const { request, file, settings } = run;
  let script: RunningScript;
  try {
    script = await runScript({ file, cwd: dirname(file), env: environmentFor(run) });
  } catch (error) {
    run.leave();
    const isLost = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const sentence = 'cannot run the script';
    const message = isLost
      ? `${sentence} (${await describeLoss(file)})`
      : toNettoolError(error, sentence).message;
    throw new GatewayError(502, message, error);
  }
  run.running.add(script);
  script.ended.then(() => {
    run.running.delete(script);
    run.leave();
    // Until then it may read, also when its answer is complete.
    void run.spool?.dispose();
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
    output.release(true);
    return new LocalRedirect(reply.target);
  } catch (error) {
    output.release(false);
    throw request.signal.aborted ? error : withEnding(error, await endOf(script, settings.killAfterMs));
  }
}

/** The file was found a moment ago: it is the interpreter that is not. A CR at its end is easily overlooked. */
async function describeLoss(file: string): Promise<string> {
  const [line = ''] = (await readFile(file, 'latin1').catch(() => '')).split('\n', 1);
  const interpreter = /^#![ \t]*(\S+)/.exec(line);
  if (interpreter === null) return 'what it needs to start is not there';
  return line.endsWith('\r')
    ? 'its lines end with CR LF, as on Windows, which its first line must not'
    : `the interpreter its first line names is not there: ${interpreter[1]}`;
}

/** The script's standard output; silence longer than the time-out, and a client that left, end the script. */
function readOutput(script: RunningScript, { request, settings }: ScriptRun): ScriptOutput {
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
    release(isAnswered) {
      if (isReleased) return;
      isReleased = true;
      request.signal.removeEventListener('abort', stop);
      if (!isAnswered) return stop();
      // It may tidy up now and say what nobody hears, but not for ever.
      const late = setTimeout(stop, timeoutMs);
      script.ended.then(() => clearTimeout(late));
      discard(chunks).catch(() => {});
    },
  };
}

/** Reads to the end, so that its writer does not wait for a reader. */
async function discard(chunks: AsyncIterator<unknown>): Promise<void> {
  while ((await chunks.next()).done !== true);
}

/** The whole environment of a script. What spawn takes are strings, which it writes as UTF-8. */
function environmentFor({ request, place, spool, settings }: ScriptRun): Record<string, string> {
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
function reportErrors(script: RunningScript, { request, settings }: ScriptRun): void {
  deliverLines(script.stderr, (text) => {
    settings.onEvent({ type: 'application-log', handler: 'cgi', ...aboutRequest(request), text });
  });
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
