import { resolve } from 'node:path';
import type { ReloadEvent } from '../core/handlers/python/events.js';
import type { ServerEvent } from '../core/http/server-types.js';
import type { WorkerEvent } from '../core/workers/types.js';
import type { Context } from './context.js';
import type { LogSink } from './output/log-file.js';
import { createReporter } from './output/reporter.js';
import { createStyle } from './output/style.js';
import type { AppFlags } from './serve-app-flags.js';
import { noteOnProgram } from './serve-notes.js';
import type { ServerFlags } from './serve-server-flags.js';
import type { ServePlan } from './serve-target.js';
import { type LogFormat, viewAccess } from './views/access-log.js';
import { createServeView } from './views/serve.js';
import { type SiteEvent, viewOutput } from './views/serve-app.js';

/** Says what a server and everything behind it say. */
export interface ServeReport {
  /** How requests are logged. */
  readonly log: LogFormat;
  /** Whether anybody reads of requests that did not fail. */
  readonly wantsRequests: boolean;
  readonly server: (event: ServerEvent | WorkerEvent | ReloadEvent) => void;
  readonly site: (event: SiteEvent) => void;
  /** Names what is served, for the line that says where. */
  name(plan: ServePlan): void;
  /** Opens the log file anew. */
  reopen(): void;
  close(): void;
}

/** The report of a run; `log` is what a master has decided for its workers, who see no terminal. */
export async function createServeReport(
  context: Context,
  flags: ServerFlags & AppFlags,
  masterLog: LogFormat | undefined,
): Promise<ServeReport> {
  const { io, json, quiet, style } = context;
  const log = flags.log ?? masterLog ?? (flags.logFile !== undefined ? 'combined' : defaultLog(context));
  // Filled in once the arguments are understood, before anything listens.
  const named = { target: '', wantedPort: 0 };
  let note: string | undefined;
  const sink = await openSink(context, flags, log);
  const view = createServeView(named);
  const report = createReporter<ServerEvent | SiteEvent>(context, view, 'stderr');
  const logStyle =
    flags.logFile === undefined ? style.stderr : createStyle({ isTTY: false, color: 'never', env: {} });
  return {
    log,
    wantsRequests: json || sink !== undefined,
    server(event) {
      const line =
        event.type === 'request' && sink !== undefined ? viewAccess(event, log, logStyle) : undefined;
      if (line !== undefined) sink?.write(line);
      report(event);
      if (event.type !== 'listening' || note === undefined) return;
      io.stderr.write(`${note}\n`);
      note = undefined;
    },
    site(event) {
      const output = viewOutput(event);
      if (output === undefined) report(event);
      else io.stderr.write(`${output}\n`);
    },
    name: (plan) => {
      const { name, port } = plan;
      if (!quiet && masterLog === undefined) note = noteOnProgram(plan, flags);
      named.target = name;
      if (flags.portFallback === true) named.wantedPort = port;
    },
    reopen: () => sink?.reopen(),
    close: () => sink?.close(),
  };

  function defaultLog({ style: { stderr } }: Context): LogFormat {
    return stderr.terminal && !json && !quiet ? 'dev' : 'none';
  }
}

/** Where the lines of the log go: a file, or stderr, gathered off the path of requests; `undefined` without a log. */
async function openSink(
  { io }: Context,
  { logFile }: ServerFlags,
  log: LogFormat,
): Promise<LogSink | undefined> {
  if (log === 'none') return undefined;
  const { createStreamLog, openLogFile } = await import('./output/log-file.js');
  if (logFile === undefined) return createStreamLog(io.stderr);
  return openLogFile(resolve(io.cwd, logFile), (sentence) => void io.stderr.write(`${sentence}\n`));
}
