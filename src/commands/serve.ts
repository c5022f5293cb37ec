import type { Command } from 'commander';
import { NettoolError } from '../core/errors.js';
import type { MountedSite } from '../core/handlers/index.js';
import type { IncomingRequest } from '../core/http/messages.js';
import type { ServeOptions, ServerEvent } from '../core/http/server-types.js';
import { action, type Context, type Run } from './context.js';
import { createReporter, type Report } from './output/reporter.js';
import { wrapSite } from './serve-access.js';
import { type AppFlags, addAppFlags } from './serve-app-flags.js';
import { addFolderOptions, announce, type FolderFlags } from './serve-folder-flags.js';
import { listenTargets, openRedirects, prepareTls, type ServeTls } from './serve-listen.js';
import { addServerFlags, type ServerFlags, toLimits, toTimers } from './serve-server-flags.js';
import { addStaticFlags, type StaticFlags } from './serve-static-flags.js';
import { planServe, type ServePlan } from './serve-target.js';
import type { LogFormat } from './views/access-log.js';
import { createLogView, createServeView } from './views/serve.js';
import { type SiteEvent, viewOutput } from './views/serve-app.js';

type ServeFlags = ServerFlags & StaticFlags & FolderFlags & AppFlags;

/** Declares `nettool serve [target] [port]`. */
export function registerServe(program: Command, run: Run): void {
  const command = program
    .command('serve')
    .summary('serve a folder, a file, an application or a URL over HTTP')
    .description(
      'Serve a folder or file, a Python or JavaScript application, or what other servers answer, over HTTP until it ' +
        'is stopped (Ctrl-C lets running answers finish).',
    )
    .argument(
      '[target]',
      "a folder, a file, module:callable, app.py, app.ts, or a URL (default: '.'; a number that names nothing is the port)",
    )
    .argument('[port]', 'the port; 0 takes a free one (default: 8000)');
  addServerFlags(command);
  addStaticFlags(command);
  addFolderOptions(command);
  addAppFlags(command);
  command.addHelpText('after', EXAMPLES).action(action<ServeFlags>(run, serve));
}

const EXAMPLES = `
Examples:
  nettool serve                      this folder at http://127.0.0.1:8000/
  nettool serve dist 9090 --spa      another folder, another port, one page for all
  nettool serve --host 0.0.0.0 --qr  for the whole network
  nettool serve report.pdf 0         one file, on any free port
  nettool serve . --upload --auth me:secret --tls
  nettool serve app.py --workers 4   a Flask, Django, FastAPI … application
  nettool serve app.ts --reload      export default { fetch(request) { … } }
  nettool serve dist --proxy /api=http://localhost:3000,http://localhost:3001
  nettool serve site --fastcgi /=unix:/run/php/php-fpm.sock
`;

async function serve(context: Context, args: readonly unknown[], flags: ServeFlags): Promise<number> {
  const { createTrust } = await import('../core/net/trust.js');
  const { serveHttp } = await import('../core/http/server/index.js');
  const { createSite } = await import('../core/handlers/index.js');
  const isTrusted = createTrust(flags.trustProxy ?? []);
  const report = createSiteReport(context, flags);
  const plan = await planServe(args, {
    context,
    flags,
    isTrusted,
    onEvent: (event) => report.site(event as SiteEvent),
  });
  report.plan(plan);
  const tls = await prepareTls(context, flags);
  const site = await createSite(plan.mounts);
  const handler = await wrapSite(site.handler, {
    flags,
    isTrusted,
    isTls: tls !== undefined,
    addSecret: context.addSecret,
  });
  const options = await toServeOptions({ context, flags, plan, tls, site });
  const server = await serveHttp(handler, {
    ...options,
    onEvent: (event) => {
      report.server(event);
      if (event.type === 'listening') announce(context, event, flags);
    },
  }).catch(explainBusyPort);
  const redirects = await openRedirects(context, flags, server);
  tls?.watch((identity) => server.setTlsIdentity(identity));
  await Promise.all([server.closed, redirects?.closed]);
  return 0;
}

interface ServeParts {
  readonly context: Context;
  readonly flags: ServeFlags;
  readonly plan: ServePlan;
  readonly tls: ServeTls | undefined;
  readonly site: MountedSite;
}

async function toServeOptions({
  context,
  flags,
  plan,
  tls,
}: ServeParts): Promise<Omit<ServeOptions, 'onEvent'>> {
  const { host, portFallback = false } = flags;
  const { signal } = context.io;
  const listen = listenTargets(context, host);
  return {
    host,
    port: plan.port,
    portFallback,
    signal,
    // What nobody reads costs nothing.
    failuresOnly: !context.json && logOf(context, flags) === 'none',
    limits: { ...toLimits(flags), maxBodyBytes: bodyLimits(flags, plan) },
    timers: toTimers(flags),
    ...(listen !== undefined && { listen }),
    ...(tls !== undefined && { tls: tls.identity }),
    ...(flags.proxyProtocol === true && { proxyProtocol: true }),
    ...(flags.trustProxy !== undefined && { trustProxy: flags.trustProxy }),
  };
}

const DEFAULT_MAX_BODY = 100 * 1024 * 1024;
/** What a form may have around the file in it. */
const FORM_OVERHEAD_BYTES = 1024 * 1024;

/** Uploads have a limit of their own, whoever else takes bodies has `--max-body`. */
function bodyLimits(
  flags: ServeFlags,
  { mounts }: ServePlan,
): number | ((request: IncomingRequest) => number) {
  const maxBody = flags.maxBody ?? DEFAULT_MAX_BODY;
  const root = mounts.find(({ prefix }) => prefix === '')?.target;
  const uploads = root?.kind === 'static' ? root.features?.uploads : undefined;
  if (uploads === undefined) return maxBody;
  const others = mounts.map(({ prefix }) => prefix).filter((prefix) => prefix !== '');
  return ({ path }) =>
    others.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))
      ? maxBody
      : uploads.maxBytes + FORM_OVERHEAD_BYTES;
}

function logOf(context: Context, flags: ServeFlags): LogFormat {
  return flags.log ?? (context.style.stderr.terminal && !context.json ? 'dev' : 'none');
}

interface SiteReport {
  readonly server: Report<ServerEvent>;
  readonly site: Report<SiteEvent>;
  plan(plan: ServePlan): void;
}

/** Says what server and applications say; what an application prints goes to stderr, also with `--json`. */
function createSiteReport(context: Context, flags: ServeFlags): SiteReport {
  const log = logOf(context, flags);
  const named = { target: '', port: 0, log };
  const report = createReporter<ServerEvent | SiteEvent>(context, createServeView(named), 'stderr');
  const lines =
    context.json && log !== 'none'
      ? createReporter({ ...context, json: false }, createLogView(log), 'stderr')
      : undefined;
  return {
    plan({ name, port }) {
      Object.assign(named, { target: name, port });
    },
    server(event) {
      report(event);
      lines?.(event);
    },
    site(event) {
      const output = viewOutput(event);
      if (output === undefined) report(event);
      else context.io.stderr.write(`${output}\n`);
    },
  };
}

/** Core knows a free port, but not the name of the flag that takes it. */
function explainBusyPort(error: unknown): never {
  if (!(error instanceof NettoolError) || error.code !== 'ADDRESS_IN_USE' || error.hint === undefined)
    throw error;
  const hint = `${error.hint}; --port-fallback takes the next free one`;
  throw new NettoolError(error.code, error.message, { hint, cause: error.cause });
}
