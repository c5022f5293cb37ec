import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { NettoolError, toNettoolError } from '../core/errors.js';
import type { ClientResponse, SendOptions } from '../core/http/client.js';
import type { FollowedResponse } from '../core/http/redirects.js';
import { looksSecret } from '../core/secrets.js';
import { action, type Context, type Run } from './context.js';
import { deliver } from './deliver-response.js';
import { collect, parseCount, parseDuration } from './options.js';
import { startSpinner } from './output/spinner.js';
import { planRequest, type RequestFlags, type RequestPlan } from './request-plan.js';
import { viewRedirect, viewRequestHead, viewResponseHead } from './views/request.js';

const EXAMPLES = `
Items:
  Name:value   header ('Name:' leaves it out, 'Name;' sends it empty)
  name==value  query parameter
  name=value   field of the body; name=@file with its text from a file
  name:=json   field as raw JSON; name:=@file from a file
  a[b][]=value nests; a backslash takes the meaning of ':', ';', '=' or '@' away`;

/** Declares one method's command; `get` and `post` differ in nothing but the method. */
export function registerRequest(program: Command, run: Run, method: string): void {
  program
    .command(method.toLowerCase())
    .summary(`send ${method} to a URL and print the answer`)
    .description(
      `Sends ${method} to a URL and prints the body of the answer. A status of 400 or more is a failure.`,
    )
    .argument('<url>', "'http://' is added when it has no scheme; ':3000/x' means localhost")
    .argument('[item...]', 'header fields, parameters and body fields, see below')
    .optionsGroup('Request:')
    .option('-p, --param <k=v>', 'add a query parameter (repeatable)', collect)
    .option('-H, --header <K: V>', 'add a header field, or the lines of @file (repeatable)', collect)
    .option('-d, --data <text>', 'send this text, @file or @- (stdin) as the body', collect)
    .option('--form', 'send the fields as a form instead of JSON')
    .option('-X, --method <method>', 'use another method', parseMethod)
    .optionsGroup('Network:')
    .addOption(limit('--timeout <time>', 'limit for everything together (default: off)'))
    .addOption(
      limit('--connect-timeout <time>', 'limit for DNS, TCP and TLS together').default(10_000, '10s'),
    )
    .addOption(limit('--idle-timeout <time>', 'limit for a transfer that stands still').default(60_000, '1m'))
    .option('--no-follow', 'do not follow redirects')
    .option('--max-redirects <n>', 'follow at most so many', parseCount, 20)
    .option('--allow-downgrade', 'follow redirects from https to http, too')
    .option('-k, --insecure', "do not check the server's certificate")
    .option('--cacert <file>', 'trust the certificates in this PEM file, and no others')
    .optionsGroup('Output:')
    .option('-o, --output <file>', 'write the body to a file, which appears when it is complete')
    .option('-i, --include', 'print status line and header fields first')
    .option('--raw', 'leave the body compressed as it was sent')
    .addHelpText('after', EXAMPLES)
    .action(
      action<RequestFlags>(run, (context, [url, items], flags) =>
        perform(context, method, [url as string, items as string[]], flags),
      ),
    );
}

function limit(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseDuration);
}

/** A method is a token (RFC 9110, section 9.1); its case is not left to the typist. */
function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (!/^[!#$%&'*+.^_`|~0-9A-Z-]+$/.test(method) || method === 'CONNECT') {
    throw new InvalidArgumentError(`'${text}' is not a method that can be sent.`);
  }
  return method;
}

async function perform(
  context: Context,
  method: string,
  words: readonly [string, readonly string[]],
  flags: RequestFlags,
): Promise<number> {
  const plan = await planRequest(context, method, words, flags);
  const file = await prepareOutput(context, flags.output);
  const deadline = startDeadline(context.io.signal, flags.timeout);
  const progress = { response: undefined as ClientResponse | undefined };
  const spinner = startSpinner(context, () => describeProgress(plan, progress.response));
  try {
    const followed = await exchange({
      context,
      plan,
      flags,
      signal: deadline.signal,
      beforeTalk: spinner.stop,
    });
    progress.response = followed.response;
    return await deliver({ context, followed, flags, file, beforeOutput: spinner.stop });
  } finally {
    spinner.stop();
    deadline.clear();
    progress.response?.body.destroy();
  }
}

async function prepareOutput(context: Context, output: string | undefined) {
  if (output === undefined || output === '-') return undefined;
  const { prepareFile } = await import('./output/file.js');
  return prepareFile(resolve(context.io.cwd, output));
}

interface Exchange {
  readonly context: Context;
  readonly plan: RequestPlan;
  readonly flags: RequestFlags;
  readonly signal: AbortSignal;
  readonly beforeTalk: () => void;
}

/** Sends the request and follows its redirects, telling on stderr what there is to tell. */
async function exchange({ context, plan, flags, signal, beforeTalk }: Exchange): Promise<FollowedResponse> {
  const { send } = await import('../core/http/client.js');
  const { followRedirects } = await import('../core/http/redirects.js');
  const style = context.style.stderr;
  const { method, url, headers, body, secretHeaders } = plan;
  const talk = (text: string | undefined): void => {
    if (text === undefined || context.quiet) return;
    beforeTalk();
    context.io.stderr.write(`${context.redact(text)}\n`);
  };
  const isSecret = (name: string): boolean =>
    flags.showSecrets !== true && (looksSecret(name) || secretHeaders.has(name.toLowerCase()));
  const options: SendOptions = {
    connectTimeoutMs: flags.connectTimeout,
    idleTimeoutMs: flags.idleTimeout,
    tls: { insecure: flags.insecure, ca: await readCertificates(context, flags.cacert) },
    onSend: (head) => context.verbose > 0 && talk(`${viewRequestHead(head, style, isSecret)}\n`),
  };
  return followRedirects(
    { method, url, headers, signal, ...(body === undefined ? {} : { body }) },
    {
      send: async (request) => {
        const response = await send(request, options);
        if (context.verbose > 0) talk(`${viewResponseHead(response, style)}\n`);
        return response;
      },
      follow: flags.follow,
      maxRedirects: flags.maxRedirects,
      allowDowngrade: flags.allowDowngrade === true,
      secretHeaders,
      onRedirect: (event) => talk(viewRedirect(event)),
    },
  );
}

async function readCertificates(context: Context, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    const text = await readFile(resolve(context.io.cwd, path), 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (error) {
    const { message } = toNettoolError(error, `cannot read ${path}`);
    throw new NettoolError('INPUT_FAILED', message, { cause: error });
  }
  throw new NettoolError('INPUT_FAILED', `${path} holds no certificate in PEM form`);
}

/** `--timeout`: one clock for everything. */
function startDeadline(signal: AbortSignal, timeoutMs: number | undefined) {
  if (timeoutMs === undefined || timeoutMs === 0) return { signal, clear: () => {} };
  const deadline = new AbortController();
  const timer = setTimeout(() => {
    deadline.abort(new NettoolError('TIMEOUT', `not done within ${timeoutMs / 1000} s (--timeout)`));
  }, timeoutMs);
  return { signal: AbortSignal.any([signal, deadline.signal]), clear: () => clearTimeout(timer) };
}

function describeProgress({ method, url }: RequestPlan, response: ClientResponse | undefined): string {
  if (response === undefined) return `${method} ${url.host}`;
  return `${method} ${url.host}: ${(response.wireSizeBytes / 2 ** 20).toFixed(1)} MiB`;
}
