import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { NettoolError } from '../core/errors.js';
import type { MountedSite } from '../core/handlers/index.js';
import type { FrontOptions } from '../core/http/server/front.js';
import type { RunningServer, ServeOptions, TlsIdentity } from '../core/http/server-types.js';
import type { SiteMetrics } from '../core/http/site-metrics.js';
import { action, type Context, type Run } from './context.js';
import { createOperation } from './serve-access.js';
import { type AppFlags, addAppFlags } from './serve-app-flags.js';
import { addFolderOptions, announce, type FolderFlags } from './serve-folder-flags.js';
import { bodyLimits, shareOf } from './serve-limits.js';
import { followCertificate, listenTargets, openAdmin, openRedirects, prepareTls } from './serve-listen.js';
import { checkRelations, findIgnored } from './serve-relations.js';
import { createServeReport, type ServeReport } from './serve-report.js';
import { addServerFlags, type ServerFlags, toLimits, toTimers } from './serve-server-flags.js';
import { addStaticFlags, type StaticFlags } from './serve-static-flags.js';
import { planServe, type ServePlan } from './serve-target.js';
import { findServeSeat, onResize, type ServeSeat, serveWithWorkers } from './serve-workers.js';
import type { LogFormat } from './views/access-log.js';

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

/** What a master decides for its workers. */
interface MasterSettings {
  readonly log: LogFormat;
  /** How many there are: what is limited for all of them is divided. */
  readonly workers: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

interface Parts {
  readonly context: Context;
  readonly flags: ServeFlags;
  readonly plan: ServePlan;
  readonly report: ServeReport;
  readonly isTrusted: (address: string) => boolean;
  readonly tls: TlsIdentity | undefined;
  readonly seat: ServeSeat | undefined;
  readonly behind: Behind;
}

/** What metrics tell of; there once it has been made. */
interface Behind {
  metrics: SiteMetrics | undefined;
  site: MountedSite | undefined;
}

async function serve(context: Context, args: readonly unknown[], given: ServeFlags): Promise<number> {
  const { createTrust } = await import('../core/net/trust.js');
  const seat = await findServeSeat(context.io);
  const settings = seat?.settings as MasterSettings | undefined;
  const asked = given.admin === undefined ? given : { health: '/health', metrics: '/metrics', ...given };
  const flags = settings === undefined ? asked : shareOf(asked, seat?.index ?? 0, settings.workers);
  const isTrusted = createTrust(flags.trustProxy ?? []);
  const report = await createServeReport(context, flags, settings?.log);
  try {
    const behind: Behind = { metrics: undefined, site: undefined };
    const plan = await planServe(args, {
      context,
      flags,
      isTrusted,
      onEvent(event) {
        // Each worker finds the same one.
        if (event.type === 'application' && seat !== undefined && seat.index > 0) return;
        behind.metrics?.onEvent(event);
        const ignored = context.quiet ? undefined : findIgnored(event, flags);
        if (ignored !== undefined) context.io.stderr.write(`${ignored}\n`);
        report.site(event as never);
      },
    });
    checkRelations(plan, given);
    report.name(plan);
    const tls = settings === undefined ? await prepareTls(context, flags) : settings.tls;
    const parts: Parts = { context, flags, plan, report, isTrusted, tls, seat, behind };
    if (flags.watch === true && needsWorkers(plan, flags)) {
      throw new NettoolError('USAGE', '--watch knows of one process only', { hint: 'leave --workers out' });
    }
    if (seat !== undefined) return await seat.run(...(await workInSeat(parts)));
    return needsWorkers(plan, flags) ? await serveAsMaster(parts) : await serveAlone(parts);
  } catch (error) {
    throw explain(error);
  } finally {
    report.close();
  }
}

/** Python applications have workers of their own; a JavaScript one can only be loaded anew in another process. */
function needsWorkers({ mounts }: ServePlan, { workers, reload }: ServeFlags): boolean {
  const kinds = new Set(mounts.map(({ target }) => target.kind));
  return (workers !== undefined && !kinds.has('python')) || (reload === true && kinds.has('js'));
}

async function serveAlone(parts: Parts): Promise<number> {
  const { context, flags, plan, report, behind } = parts;
  const { reserveListeners } = await import('../core/http/server/reserve.js');
  const reserved = await reserveListeners(toFrontOptions(parts));
  const undo = [context.io.onSignal?.('SIGUSR1', report.reopen)];
  // With nothing to load anew it keeps its usual meaning: the terminal is gone, and so should we be.
  if (plan.mounts.some(({ target }) => target.kind === 'python')) {
    undo.push(
      context.io.onSignal?.('SIGHUP', () => void behind.site?.reload('SIGHUP').catch(() => {})),
      ...onResize(context.io, (change, reason) => void behind.site?.resize(change, reason)),
    );
  }
  let redirects: RunningServer | undefined;
  let server: RunningServer | undefined;
  try {
    redirects = await openRedirects(context, flags, reserved.listen[0]?.event.port ?? 0);
    const { open } = await prepare(parts, reserved.listen, () => server?.connections ?? 0);
    server = await open();
    await Promise.all([server.closed, redirects?.closed]);
  } finally {
    reserved.close();
    await redirects?.close();
    for (const off of undo) off?.();
  }
  return 0;
}

async function serveAsMaster(parts: Parts): Promise<number> {
  const { context, flags, plan, report, tls } = parts;
  const identity = tls === undefined ? undefined : { cert: String(tls.cert), key: String(tls.key) };
  const { workers = 1 } = flags;
  const count = workers === 'auto' ? availableParallelism() : workers;
  const settings: MasterSettings = { log: report.log, workers: count, tls: identity };
  return serveWithWorkers(context, {
    count,
    front: toFrontOptions(parts),
    settings,
    ...(flags.gracefulTimeout !== undefined && { graceMs: flags.gracefulTimeout }),
    watchFolders: flags.reload === true ? plan.codeFolders : [],
    onEvent: (event) => {
      report.server(event);
      if (event.type !== 'listening' || event.admin === true) return;
      announce(context, event, flags);
      openRedirects(context, flags, event.port).catch((error: Error) => {
        context.io.stderr.write(`${error.message}\n`);
      });
    },
  });
}

/** What a worker does: it serves what the master hands it. */
async function workInSeat(parts: Parts): Promise<Parameters<ServeSeat['run']>> {
  const { operation, open } = await prepare(parts, parts.seat?.listen ?? [], () => 0);
  const hooks = {
    reopen: parts.report.reopen,
    ...(operation.snapshot !== undefined && { snapshot: operation.snapshot }),
  };
  return [open, hooks];
}

/** Everything up to the listening: `open` starts the applications and then the server. */
async function prepare(parts: Parts, listen: ServeSeat['listen'], connections: () => number) {
  const { context, flags, plan, report, isTrusted, tls, seat, behind } = parts;
  if (flags.metrics !== undefined) {
    const { createSiteMetrics } = await import('../core/http/site-metrics.js');
    behind.metrics = createSiteMetrics({
      upstreams: plan.upstreams,
      ...(seat !== undefined && { ownPid: process.pid }),
    });
  }
  const collect = seat === undefined ? undefined : () => seat.collect();
  const operation = await createOperation({
    flags,
    isTrusted,
    context,
    connections,
    collect,
    site: () => behind.metrics?.snapshot(behind.site?.figures() ?? []) ?? {},
  });
  const open = async (): Promise<RunningServer> => {
    const { createSite } = await import('../core/handlers/index.js');
    const { serveHttp } = await import('../core/http/server/index.js');
    const site = await createSite(plan.mounts, behind.metrics?.tally);
    behind.site = site;
    const server = await serveHttp(operation.wrap(site.handler), {
      ...toServeOptions(parts),
      listen: listen.filter(({ event }) => event.admin !== true),
      failuresOnly: !report.wantsRequests && operation.snapshot === undefined,
      onEvent: (event) => {
        operation.onEvent?.(event);
        report.server(event);
        if (event.type === 'listening') announce(context, event, flags);
      },
    });
    const events: ServeOptions['events'] = seat === undefined ? ['listening'] : [];
    const place = listen.find(({ event }) => event.admin === true);
    if (operation.admin !== undefined && place !== undefined) {
      await openAdmin(operation.admin, place, server, { events, onEvent: report.server });
    }
    await followCertificate(context, flags, server, tls);
    return server;
  };
  return { operation, open };
}

function toFrontOptions({ context, flags, plan, tls }: Parts): FrontOptions {
  const { host, portFallback = false } = flags;
  const listen = listenTargets(context, flags, plan.port);
  return { host, port: plan.port, portFallback, listen, ...(tls !== undefined && { tls }) };
}

function toServeOptions({ context, flags, plan, tls, seat }: Parts): Omit<ServeOptions, 'onEvent'> {
  return {
    host: flags.host,
    port: plan.port,
    signal: context.io.signal,
    limits: { ...toLimits(flags), maxBodyBytes: bodyLimits(flags, plan) },
    timers: toTimers(flags),
    ...(flags.gracefulTimeout !== undefined && { graceMs: flags.gracefulTimeout }),
    // A worker's listening and closing are its master's to tell.
    ...(seat !== undefined && { events: ['request'] }),
    ...(tls !== undefined && { tls }),
    ...(flags.proxyProtocol === true && { proxyProtocol: true }),
    ...(flags.trustProxy !== undefined && { trustProxy: flags.trustProxy }),
  };
}

/** Core knows a free port and a start that took too long, but not the names of the flags that help. */
function explain(error: unknown): unknown {
  if (!(error instanceof NettoolError)) return error;
  const { code, message, cause } = error;
  if (code === 'ADDRESS_IN_USE' && error.hint !== undefined) {
    return new NettoolError(code, message, {
      hint: `${error.hint}; --port-fallback takes the next free one`,
      cause,
    });
  }
  const isLate = code === 'TIMEOUT' && error.hint === undefined;
  return isLate ? new NettoolError(code, message, { hint: '--boot-timeout gives it longer', cause }) : error;
}
