import { isIP } from 'node:net';
import type { PingEvent, PingOptions, SummaryEvent } from '../core/ping/types.js';
import type { Context } from './context.js';
import { createLiveBlock } from './output/live.js';
import { createReporter, type Report } from './output/reporter.js';
import type { PingFlags } from './ping.js';
import { isLocalError, type PingViewSettings, viewFlood, viewPing, viewSummaryTable } from './views/ping.js';
import { createPingGraph } from './views/ping-graph.js';

/** How long a name server may hold up a line. */
const NAME_TIMEOUT_MS = 1000;
const REDRAW_MS = 100;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** Says what a ping does while it does it; the exit code says whether every host answered. */
export async function reportPing(
  context: Context,
  flags: PingFlags,
  options: PingOptions,
  events: AsyncIterable<PingEvent>,
): Promise<number> {
  const summaries: SummaryEvent[] = [];
  let unresolved = false;
  const report = context.json ? reportJson(context) : createTextReport(context, flags, options);
  for await (const event of events) {
    if (event.type === 'summary') summaries.push(event);
    if (event.type === 'host-error') unresolved = true;
    await report.say(event);
  }
  report.end(summaries);
  const success = summaries.every((summary) => isSuccess(summary, options));
  return success && !unresolved && summaries.length > 0 ? 0 : 1;
}

function isSuccess({ received, reached }: SummaryEvent, { until, count, deadlineMs }: PingOptions): boolean {
  if (until !== undefined) return reached === true;
  // With a deadline, -c counts replies.
  return received > 0 && (deadlineMs === undefined || count === undefined || received >= count);
}

interface PingReport {
  say(event: PingEvent): void | Promise<void>;
  end(summaries: readonly SummaryEvent[]): void;
}

function reportJson(context: Context): PingReport {
  const report: Report<PingEvent> = createReporter(context, () => undefined, 'stdout');
  return { say: report, end: () => {} };
}

function createTextReport(context: Context, flags: PingFlags, options: PingOptions): PingReport {
  if (flags.alive) return reportAlive(context);
  const names = new Map<string, string>();
  const settings = toSettings(context, flags, options, names);
  const { io, style } = context;
  const nameOf = createNames(names, flags.numeric === true, style.stdout.foreign);
  if (flags.pattern !== undefined && !context.quiet) {
    io.stdout.write(`PATTERN: 0x${Buffer.from(flags.pattern).toString('hex')}\n`);
  }
  const graph = flags.graph ? createGraphReport(context) : undefined;
  const hidden = graph !== undefined || flags.flood === true;
  return {
    async say(event) {
      graph?.say(event);
      if (flags.flood) io.stdout.write((!settings.quiet && viewFlood(event)) || '');
      await nameOf(event);
      tellMethod(context, event);
      const speaks = event.type === 'start' || event.type === 'summary' || event.type === 'host-error';
      if (hidden && !speaks) return;
      const sink = isLocalError(event) ? 'stderr' : 'stdout';
      if (event.type === 'start' && (graph !== undefined || (settings.quiet && settings.many))) return;
      const text = viewPing(event, style[sink], settings);
      if (text !== undefined) io[sink].write(`${context.redact(text)}\n`);
    },
    end(summaries) {
      graph?.end();
      if (!settings.many) return;
      const table = viewSummaryTable(summaries, style.stdout);
      io.stdout.write(`${context.quiet ? table.trimStart() : table}\n`);
    },
  };
}

function toSettings(
  context: Context,
  flags: PingFlags,
  options: PingOptions,
  names: ReadonlyMap<string, string>,
): PingViewSettings {
  return {
    quiet: context.quiet,
    verbose: context.verbose > 0,
    timestamps: flags.timestamps === true,
    audible: flags.audible === true,
    paced: options.adaptive || flags.flood === true || options.intervalMs === 0,
    broadcast: options.broadcast,
    connects: options.probe.kind !== 'icmp',
    many: options.hosts.length > 1,
    interfaceName: flags.interface,
    names,
  };
}

/** With `-v`, what the probes are made of. */
function tellMethod({ verbose, io }: Context, event: PingEvent): void {
  if (verbose > 0 && event.type === 'start') io.stderr.write(`method: ${event.method}\n`);
}

/** The hosts that answered, each once, as soon as it does. */
function reportAlive({ io }: Context): PingReport {
  const seen = new Set<string>();
  return {
    say(event) {
      if (event.type !== 'reply' || seen.has(event.host)) return;
      seen.add(event.host);
      io.stdout.write(`${event.host}\n`);
    },
    end: () => {},
  };
}

/** Looks up the names of addresses before they are shown, as iputils does: never for hosts given as addresses. */
function createNames(
  names: Map<string, string>,
  numeric: boolean,
  toSafe: (text: string) => string,
): (event: PingEvent) => Promise<void> {
  const lookups = new Map<string, Promise<void>>();
  const lookUp = async (address: string): Promise<void> => {
    const { lookupName } = await import('../core/net/lookup.js');
    const name = await lookupName(address, NAME_TIMEOUT_MS);
    if (name !== undefined) names.set(address, toSafe(name));
  };
  return async (event) => {
    if (numeric || !('address' in event) || isIP(event.host.split('%')[0] ?? '') !== 0) return;
    const address = ('from' in event ? event.from : undefined) ?? event.address;
    const lookup = lookups.get(address) ?? lookUp(address);
    lookups.set(address, lookup);
    // All hosts start at once, and only the IPv6 header shows a name: their lookups go on side by side.
    if (event.type !== 'start' || event.family === 6) await lookup;
  };
}

/** The chart, redrawn in place on a terminal; elsewhere drawn once, at the end. */
function createGraphReport({ io, style }: Context) {
  const graph = createPingGraph();
  const block = createLiveBlock(io.stdout);
  const draw = (): void => {
    const size = { columns: io.stdout.columns || DEFAULT_COLUMNS, rows: io.stdout.rows || DEFAULT_ROWS };
    block.draw(graph.draw(style.stdout, size));
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    say(event: PingEvent): void {
      graph.add(event);
      if (style.stdout.terminal) {
        timer ??= setTimeout(() => {
          timer = undefined;
          draw();
        }, REDRAW_MS);
      }
      if (event.type === 'summary') this.end();
    },
    ended: false,
    end(): void {
      clearTimeout(timer);
      timer = undefined;
      if (this.ended) return;
      this.ended = true;
      if (style.stdout.terminal) draw();
      else {
        const lines = graph.draw(style.stdout, { columns: DEFAULT_COLUMNS, rows: DEFAULT_ROWS });
        io.stdout.write(lines.map((line) => `${line}\n`).join(''));
      }
    },
  };
}
