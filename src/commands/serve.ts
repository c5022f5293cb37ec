import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { NettoolError } from '../core/errors.js';
import type { HandlerTarget } from '../core/handlers/index.js';
import type { ServerEvent } from '../core/http/server-types.js';
import { action, type Context, type Run } from './context.js';
import { parseHost, parsePort } from './options.js';
import { createReporter, type Report } from './output/reporter.js';
import { LOG_FORMATS, type LogFormat } from './views/access-log.js';
import { createLogView, createServeView } from './views/serve.js';

const DEFAULT_PORT = 8000;

interface ServeFlags {
  readonly host: string;
  readonly portFallback?: boolean;
  readonly hidden?: boolean;
  readonly followSymlinks?: boolean;
  readonly listing: boolean;
  readonly log?: LogFormat;
}

/** Declares `nettool serve [target] [port]`. */
export function registerServe(program: Command, run: Run): void {
  program
    .command('serve')
    .summary('serve a folder or a file over HTTP')
    .description(
      'Serve a folder or a file over HTTP until it is stopped (Ctrl-C lets running answers finish).',
    )
    .argument('[target]', 'the folder, or one file (a number that names neither is the port)', '.')
    .argument('[port]', `the port; 0 takes a free one (default: ${DEFAULT_PORT})`, parsePort)
    .optionsGroup('Network:')
    .option('--host <address>', 'the address to listen on; 0.0.0.0 or :: for all', parseHost, '127.0.0.1')
    .option('--port-fallback', 'take the next free port when this one is in use')
    .optionsGroup('Files:')
    .option('--hidden', 'serve and list files and folders that start with a dot')
    .option('--follow-symlinks', 'follow links that leave the folder')
    .option('--no-listing', 'answer 404 for folders without an index.html')
    .optionsGroup('Logs:')
    .addOption(
      new Option('--log <format>', 'log requests on stderr (default: dev on a terminal, else none)').choices(
        LOG_FORMATS,
      ),
    )
    .addHelpText('after', EXAMPLES)
    .action(action<ServeFlags>(run, serve));
}

const EXAMPLES = `
Examples:
  nettool serve                      this folder at http://127.0.0.1:8000/
  nettool serve dist 9090            another folder, another port
  nettool serve --host 0.0.0.0       for the whole network
  nettool serve report.pdf 0         one file, on any free port
`;

/** What the arguments come to. */
interface Plan {
  readonly name: string;
  readonly target: HandlerTarget;
  readonly port: number;
}

function toPlan(context: Context, args: readonly unknown[], flags: ServeFlags): Plan {
  const [first, second] = args as [string, number | undefined];
  const isPort = second === undefined && /^\d{1,5}$/.test(first) && Number(first) <= 65_535;
  const loneNumber = isPort && !existsSync(resolve(context.io.cwd, first));
  const name = loneNumber ? '.' : first;
  const root = resolve(context.io.cwd, name);
  refuseApplication(name, root);
  const target: HandlerTarget = {
    kind: 'static',
    root,
    showHidden: flags.hidden === true,
    followLinks: flags.followSymlinks === true,
    listing: flags.listing,
  };
  return { name, target, port: loneNumber ? Number(first) : (second ?? DEFAULT_PORT) };
}

/** Programs are to be run, not shown: serving their source by mistake could give secrets away. */
function refuseApplication(name: string, path: string): void {
  const isUrl = /^https?:\/\//i.test(name);
  const isProgram = /\.(?:py|ts|mts|js|mjs|cjs)$/.test(name);
  if (!isUrl && !(isProgram && statSync(path, { throwIfNoEntry: false })?.isFile())) return;
  const what = isUrl ? 'passing requests on to a URL' : 'running an application';
  const hint = isUrl ? undefined : 'serve its folder to offer it as a file';
  throw new NettoolError('UNSUPPORTED', `cannot serve ${name} (${what} is not supported)`, { hint });
}

async function serve(context: Context, args: readonly unknown[], flags: ServeFlags): Promise<number> {
  const { name, target, port } = toPlan(context, args, flags);
  const log = flags.log ?? (context.style.stderr.terminal && !context.json ? 'dev' : 'none');
  const onEvent = createEventSink(context, { target: name, port, log });
  const { createHandler } = await import('../core/handlers/index.js');
  const { serveHttp } = await import('../core/http/server/index.js');
  const { host, portFallback = false } = flags;
  const { signal } = context.io;
  const handler = await createHandler(target);
  const server = await serveHttp(handler, { host, port, portFallback, signal, onEvent }).catch(
    explainBusyPort,
  );
  await server.closed;
  return 0;
}

function createEventSink(
  context: Context,
  options: Parameters<typeof createServeView>[0],
): Report<ServerEvent> {
  const report = createReporter(context, createServeView(options), 'stderr');
  if (!context.json || options.log === 'none') return report;
  const log = createReporter({ ...context, json: false }, createLogView(options.log), 'stderr');
  return (event) => {
    report(event);
    log(event);
  };
}

/** Core knows a free port, but not the name of the flag that takes it. */
function explainBusyPort(error: unknown): never {
  if (!(error instanceof NettoolError) || error.code !== 'ADDRESS_IN_USE' || error.hint === undefined)
    throw error;
  const hint = `${error.hint}; --port-fallback takes the next free one`;
  throw new NettoolError(error.code, error.message, { hint, cause: error.cause });
}
