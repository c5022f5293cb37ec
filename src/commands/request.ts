import type { Command } from 'commander';
import { NettoolError } from '../core/errors.js';
import { type AllFlags, checkFlags } from './all-flags.js';
import { action, type Context, type Run } from './context.js';
import { readExpectations } from './expectations.js';
import { addNetworkFlags } from './network-flags.js';
import { addOutputFlags } from './output-flags.js';
import { addRequestFlags } from './request-flags.js';
import { REQUEST_HELP } from './request-help.js';
import { addressPlan, planRequest } from './request-plan.js';
import { takeZone } from './request-url.js';
import { openSession } from './session-flag.js';
import { runTransfers } from './transfers.js';
import { createTransport } from './transport.js';

/** Declares one method's command; they differ in nothing but the method. */
export function registerRequest(program: Command, run: Run, method: string): void {
  const command = program
    .command(method.toLowerCase())
    .summary(`send ${method} to a URL and print the answer`)
    .description(
      method === 'HEAD'
        ? 'Sends HEAD to a URL and prints the header fields of the answer. A status of 400 or more is a failure.'
        : `Sends ${method} to a URL and prints the body of the answer. A status of 400 or more is a failure.`,
    )
    .argument('[url]', "'http://' is added when it has no scheme; ':3000/x' means localhost")
    .argument('[item...]', 'header fields, parameters and body fields, see below');
  if (!run.wants(command.name())) return;
  addRequestFlags(command);
  addNetworkFlags(command);
  addOutputFlags(command);
  command
    .addHelpText('after', REQUEST_HELP)
    .action(
      action<AllFlags>(run, (context, [url, items], flags) =>
        perform(context, method, [url as string | undefined, items as string[]], flags),
      ),
    );
}

async function perform(
  context: Context,
  method: string,
  [url, items]: readonly [string | undefined, readonly string[]],
  given: AllFlags,
): Promise<number> {
  const typed = [...(url === undefined ? [] : [url]), ...(given.url ?? [])].map(takeZone);
  const urls = typed.map((one) => one.url);
  const zones = typed.flatMap(({ resolve = [] }) => resolve);
  const flags = zones.length === 0 ? given : { ...given, resolve: [...(given.resolve ?? []), ...zones] };
  if (urls.length === 0)
    throw new NettoolError('USAGE', 'a URL is missing', { hint: `nettool ${method.toLowerCase()} URL` });
  checkFlags(flags, urls.length);
  const expectations = readExpectations(flags);
  const plan = await planRequest(context, method, [urls, items], flags);
  if (
    urls.length > 1 &&
    plan.body !== undefined &&
    'open' in Object(plan.body) &&
    !(plan.body as { isReplayable: boolean }).isReplayable
  ) {
    throw new NettoolError('USAGE', 'stdin can be sent to one URL only', {
      hint: 'put it into a file: -d @file',
    });
  }
  const session = await openSession(context, flags);
  const plans = [];
  for (const typed of plan.urls) {
    const addressed = await addressPlan(context, plan, typed, flags);
    plans.push(session?.apply(addressed) ?? addressed);
  }
  if (flags.dryRun === true || flags.asCurl === true) {
    const { printCurl, printRequest } = await import('./export-request.js');
    for (const one of plans) {
      if (flags.asCurl === true) printCurl(context, one, flags);
      else await printRequest(context, one, flags);
    }
    return 0;
  }
  const deadline = startDeadline(context.io.signal, flags.timeout);
  const talk = { before: () => {} };
  const transport = await createTransport(context, flags, {
    cookies: session?.cookies,
    beforeTalk: () => talk.before(),
    keepsConnections: plans.length > 1,
  });
  try {
    return await runTransfers({
      context,
      plans,
      flags,
      transport,
      expectations,
      signal: deadline.signal,
      talk,
    });
  } finally {
    deadline.clear();
    transport.close();
    await session?.save(plans);
    if (flags.har !== undefined) {
      const { writeHar } = await import('./har.js');
      await writeHar(context, flags, transport.records);
    }
  }
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
