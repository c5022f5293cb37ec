import type { Command } from 'commander';
import { NettoolError } from '../core/errors.js';
import type { NetworkInterface } from '../core/interfaces/types.js';
import { action, type Context, type Run } from './context.js';
import { parseCount, parseDuration } from './options.js';
import { createLiveBlock } from './output/live.js';
import { createReporter } from './output/reporter.js';
import {
  type InterfacesEvent,
  type Rates,
  type RatesEvent,
  viewInterfaces,
  viewInterfaceTable,
  viewRates,
  viewRoutes,
} from './views/ifconfig.js';

interface IfconfigFlags {
  readonly all?: boolean;
  readonly short?: boolean;
  readonly up?: boolean;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly watch?: boolean;
  readonly interval?: number;
  readonly count?: number;
  readonly routes?: boolean;
}

const DEFAULT_INTERVAL_MS = 1000;

/** Declares `nettool ifconfig`. */
export function registerIfconfig(program: Command, run: Run): void {
  program
    .command('ifconfig')
    .description('Show network interfaces: addresses, state, counters; routes and name servers.')
    .argument('[name]', 'only this interface, whatever its state')
    .option('-a, --all', 'also those that are down')
    .option('-s, --short', 'a table with a line each')
    .option('--up', 'those that are up (the default)')
    .option('-4, --ipv4', 'leave out IPv6 addresses')
    .option('-6, --ipv6', 'leave out IPv4 addresses')
    .option('--routes', 'show routes, default gateways and name servers instead')
    .option('--watch', 'show what flows per second until stopped')
    .option('-i, --interval <time>', 'with --watch: between two looks (default: 1s)', parseDuration)
    .option('-c, --count <n>', 'with --watch: stop after this many looks', parseCount)
    .action(
      action<IfconfigFlags>(run, async (context, [name], flags) => {
        checkRelations(flags);
        const { listInterfaces } = await import('../core/interfaces/index.js');
        const list = async (): Promise<NetworkInterface[]> =>
          selectInterfaces(await listInterfaces(), name as string | undefined, flags);
        return flags.watch ? watch(context, flags, list) : show(context, flags, list);
      }),
    );
}

function checkRelations(flags: IfconfigFlags): void {
  if (flags.ipv4 && flags.ipv6) throw new NettoolError('USAGE', '-4 and -6 exclude each other');
  if (flags.all && flags.up) throw new NettoolError('USAGE', '-a and --up exclude each other');
  if (flags.watch && flags.routes) throw new NettoolError('USAGE', '--watch and --routes exclude each other');
  if (flags.interval === 0) throw new NettoolError('USAGE', 'the interval must be more than nothing');
  if ((flags.count !== undefined || flags.interval !== undefined) && !flags.watch) {
    throw new NettoolError('USAGE', '-c and -i are for --watch');
  }
}

function selectInterfaces(
  all: readonly NetworkInterface[],
  name: string | undefined,
  flags: IfconfigFlags,
): NetworkInterface[] {
  const chosen =
    name === undefined
      ? all.filter((entry) => flags.all || entry.up)
      : all.filter((entry) => entry.name === name || entry.altNames.includes(name));
  if (name !== undefined && chosen.length === 0) {
    const names = all.map((entry) => entry.name).join(', ');
    throw new NettoolError('NOT_FOUND', `there is no interface '${name}'`, { hint: `there are: ${names}` });
  }
  const family = flags.ipv4 ? 'inet' : flags.ipv6 ? 'inet6' : undefined;
  if (family === undefined) return chosen;
  return chosen.map((entry) => ({
    ...entry,
    addresses: entry.addresses.filter((address) => address.family === family),
  }));
}

async function show(
  context: Context,
  flags: IfconfigFlags,
  list: () => Promise<NetworkInterface[]>,
): Promise<number> {
  const interfaces = await list();
  const { listRoutes } = await import('../core/interfaces/index.js');
  const ways = flags.routes ? await listRoutes() : undefined;
  const report = createReporter<InterfacesEvent>(
    context,
    (event, style) => {
      if (ways !== undefined) return viewRoutes(ways.routes, ways.dns, style);
      return (flags.short ? viewInterfaceTable : viewInterfaces)(event.interfaces, style);
    },
    'stdout',
  );
  report({ type: 'interfaces', interfaces, ...ways });
  return 0;
}

async function watch(
  context: Context,
  flags: IfconfigFlags,
  list: () => Promise<NetworkInterface[]>,
): Promise<number> {
  const { io, style } = context;
  const block = createLiveBlock(io.stdout);
  const report = createReporter<RatesEvent>(
    context,
    (event, style) => `${viewRates(event, style).join('\n')}\n`,
    'stdout',
  );
  let before: { at: number; interfaces: readonly NetworkInterface[] } | undefined;
  for (let looks = 1; !io.signal.aborted; looks++) {
    const now = { at: performance.now(), interfaces: await list() };
    const event = toRatesEvent(now, before);
    if (!context.json && style.stdout.terminal) block.draw(viewRates(event, style.stdout));
    else report(event);
    if (looks === flags.count) return 0;
    before = now;
    await pause(now.at + (flags.interval ?? DEFAULT_INTERVAL_MS) - performance.now(), io.signal);
  }
  return 0;
}

interface Look {
  readonly at: number;
  readonly interfaces: readonly NetworkInterface[];
}

function toRatesEvent(now: Look, before: Look | undefined): RatesEvent {
  const intervalMs = before === undefined ? null : now.at - before.at;
  const earlier = new Map(before?.interfaces.map((entry) => [`${entry.index} ${entry.name}`, entry]));
  return {
    type: 'interfaces',
    at: new Date().toISOString(),
    intervalMs: intervalMs === null ? null : Math.round(intervalMs),
    interfaces: now.interfaces.map((entry) => {
      const previous = earlier.get(`${entry.index} ${entry.name}`);
      const known = previous !== undefined && intervalMs !== null;
      return { ...entry, rates: known ? ratesBetween(previous, entry, intervalMs / 1000) : null };
    }),
  };
}

/** Counters may start again when a driver is reloaded; that is no negative rate. */
function ratesBetween(before: NetworkInterface, now: NetworkInterface, seconds: number): Rates {
  const rate = (from: number, to: number): number => Math.max(0, Math.round((to - from) / seconds));
  return {
    rxBytesPerSecond: rate(before.rx.bytes, now.rx.bytes),
    txBytesPerSecond: rate(before.tx.bytes, now.tx.bytes),
    rxPacketsPerSecond: rate(before.rx.packets, now.rx.packets),
    txPacketsPerSecond: rate(before.tx.packets, now.tx.packets),
  };
}

/** Waits, or returns at once when the run has to stop. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, ms));
    signal.addEventListener('abort', done);
  });
}
