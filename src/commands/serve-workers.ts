import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { ReloadEvent } from '../core/handlers/python/events.js';
import type { MetricsSnapshot } from '../core/http/metrics.js';
import type { Front, FrontListener, FrontOptions } from '../core/http/server/front.js';
import type { ListenTarget, RunningServer, ServerEvent } from '../core/http/server-types.js';
import type { Crew } from '../core/workers/crew.js';
import type { WorkerSeat } from '../core/workers/seat.js';
import type { WorkerEvent } from '../core/workers/types.js';
import type { Context, Io } from './context.js';
import { LineBatch } from './output/line-batch.js';

const DEFAULT_GRACE_MS = 10_000;

/** What an application writes beside its code while it runs: no reason to load it anew. */
const DATA = /\.(?:sqlite3?|db|log|lock|tmp|part|pid|sock)(?:-(?:journal|wal|shm))?$|~$/i;

/** How to serve with several processes. */
export interface WorkersPlan {
  readonly count: number;
  /** Where to listen; everything about requests is for the workers. */
  readonly front: FrontOptions;
  readonly graceMs?: number;
  /** Replaces the workers when something in these folders changes. */
  readonly watchFolders?: readonly string[];
  /** Plain data for the workers: what only the master can decide (whether there is a terminal, say). */
  readonly settings?: unknown;
  /** `listening` and `closed`, once each, and what becomes of workers and new code. */
  readonly onEvent: (event: ServerEvent | WorkerEvent | ReloadEvent) => void;
}

/** What a worker of {@link serveWithWorkers} works with. */
export interface ServeSeat {
  /** 0 is the first. */
  readonly index: number;
  /** {@link WorkersPlan.settings} */
  readonly settings: unknown;
  /** For `serveHttp`, instead of host and port. */
  readonly listen: ReadonlyArray<Extract<ListenTarget, { source: unknown }>>;
  /** The figures of all workers and the master; undefined when the master is gone. */
  collect(): Promise<MetricsSnapshot | undefined>;
  /**
   * Begins the work, tells the master, and does it until the master wants an end: the exit code. A failure to begin
   * is told to the master and printed there.
   */
  run(begin: () => Promise<RunningServer>, hooks?: ServeSeatHooks): Promise<number>;
}

/** What a worker does when the master asks for it. */
export interface ServeSeatHooks {
  /** Opens its log files anew (SIGUSR1). */
  readonly reopen?: () => void;
  readonly snapshot?: () => MetricsSnapshot;
}

/** What a worker is told at its start. */
interface Settings {
  readonly listeners: readonly FrontListener[];
  readonly own: unknown;
}

/**
 * Serves with worker processes that run this same command line, until the run is to stop: binds, deals connections
 * out by turns, restarts whoever dies, replaces all on SIGHUP. What the workers print is passed on line by line.
 */
export async function serveWithWorkers(context: Context, plan: WorkersPlan): Promise<number> {
  const { openFront } = await import('../core/http/server/front.js');
  const { io } = context;
  const output = { stdout: passOn(io.stdout), stderr: passOn(io.stderr) };
  const front = await openFront(plan.front);
  let crew: Crew<MetricsSnapshot> | undefined;
  const reload = (reason: string): void => {
    crew?.reload().then(
      () => plan.onEvent({ type: 'reload', ok: true, reason }),
      ({ message }: Error) =>
        plan.onEvent({
          type: 'reload',
          ok: false,
          reason,
          message: `${message}; the code that ran serves on`,
        }),
    );
  };
  const watching = await watchCode(plan.watchFolders ?? [], (name) => reload(`${name} has changed`));
  const undo = [
    watching,
    io.onSignal?.('SIGHUP', () => reload('SIGHUP')),
    io.onSignal?.('SIGUSR1', () => crew?.reopen()),
    ...onResize(io, (change, reason) => void crew?.resize(change, reason)),
  ];
  try {
    crew = await createCrew(context, plan, front, (line, stream) => output[stream].add(line));
    await serveUntilStopped(crew, io.signal, () => {
      for (const { event } of front.listeners) plan.onEvent(event);
    });
  } finally {
    front.close();
    await crew?.stop();
    for (const off of undo) off?.();
    output.stdout.flush();
    output.stderr.flush();
  }
  plan.onEvent({ type: 'closed', requests: crew?.requests ?? 0 });
  return 0;
}

/** Has SIGTTIN ask for a worker more and SIGTTOU for one fewer, as gunicorn does; the functions end that. */
export function onResize(
  io: Pick<Io, 'onSignal'>,
  resize: (change: 1 | -1, reason: string) => void,
): Array<(() => void) | undefined> {
  return [
    io.onSignal?.('SIGTTIN', () => resize(1, 'SIGTTIN')),
    io.onSignal?.('SIGTTOU', () => resize(-1, 'SIGTTOU')),
  ];
}

/** Watches folders and everything below them but packages; returns what ends that. */
async function watchCode(folders: readonly string[], onChange: (name: string) => void): Promise<() => void> {
  if (folders.length === 0) return () => {};
  const { watchFolders } = await import('../core/workers/watch.js');
  const watch = watchFolders({ accepts: (name) => !name.startsWith('.') && !DATA.test(name), onChange });
  const below = folders.flatMap((folder) => [folder, ...listFolders(folder)]);
  watch.update(below);
  return watch.close;
}

function listFolders(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .flatMap(({ name }) => [join(folder, name), ...listFolders(join(folder, name))]);
}

async function serveUntilStopped(
  crew: Crew<MetricsSnapshot>,
  signal: AbortSignal,
  onReady: () => void,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const started = crew.start().then(() => {
    if (!signal.aborted) onReady();
  });
  // A start that was cut short fails, which then nobody wants to know.
  started.catch(() => {});
  await Promise.race([stopped, started]);
  await stopped;
}

async function createCrew(
  context: Context,
  plan: WorkersPlan,
  front: Front,
  onLine: (line: string, stream: 'stdout' | 'stderr') => void,
): Promise<Crew<MetricsSnapshot>> {
  const { Crew } = await import('../core/workers/crew.js');
  const { createMetrics, mergeSnapshots, withoutGauges } = await import('../core/http/metrics.js');
  const { createSiteMetrics } = await import('../core/http/site-metrics.js');
  const { io, argv } = context;
  if (io.self === undefined) {
    throw new NettoolError('UNSUPPORTED', 'cannot start workers (this program does not know its own path)');
  }
  const changes = createSiteMetrics();
  const settings: Settings = { listeners: front.listeners, own: plan.settings };
  return new Crew<MetricsSnapshot>({
    count: plan.count,
    command: [...io.self, ...argv],
    cwd: io.cwd,
    env: workerEnvironment(context),
    settings,
    graceMs: plan.graceMs ?? DEFAULT_GRACE_MS,
    onLive: (worker) => front.distributor.add(worker),
    onGone: (worker) => front.distributor.remove(worker),
    onEvent: (event) => {
      changes.onEvent(event);
      plan.onEvent(event);
    },
    onLine,
    figures: {
      own: createMetrics({ site: () => changes.snapshot([]) }).snapshot,
      merge: mergeSnapshots,
      keep: withoutGauges,
    },
  });
}

/** A worker writes into a pipe, but what it writes ends where we write; and systemd's sockets are for us alone. */
function workerEnvironment({ io, style }: Context): Record<string, string | undefined> {
  const { LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES, ...env } = io.env;
  const hasColor = style.stderr.red('x') !== 'x';
  return hasColor ? { FORCE_COLOR: 'true', ...env } : env;
}

function passOn(stream: Io['stdout']): LineBatch {
  return new LineBatch((text) => void stream.write(text));
}

/** The seat of this process, when it is a worker that {@link serveWithWorkers} has started. */
export async function findServeSeat(io: Io): Promise<ServeSeat | undefined> {
  if (io.env.NETTOOL_WORKER === undefined) return undefined;
  const { findSeat } = await import('../core/workers/seat.js');
  const seat = findSeat(io.env);
  return seat === undefined ? undefined : toServeSeat(seat, io);
}

function toServeSeat(seat: WorkerSeat, io: Io): ServeSeat {
  const { index, settings } = seat.assignment;
  const { listeners, own } = settings as Settings;
  return {
    index,
    settings: own,
    listen: listeners.map(({ event, tls }, at) => ({
      event,
      tls,
      source: (accept) => seat.connections(at, accept),
    })),
    collect: async () => (await seat.collect()) as MetricsSnapshot | undefined,
    async run(begin, { reopen, snapshot } = {}) {
      // Sent to all processes of that name (pkill -HUP), it is for the master; unheard, it would end or halt us.
      for (const name of ['SIGHUP', 'SIGTTIN', 'SIGTTOU'] as const) io.onSignal?.(name, () => {});
      io.onSignal?.('SIGUSR1', () => reopen?.());
      const hooks = {
        ...(reopen !== undefined && { reopen }),
        ...(snapshot !== undefined && { figures: snapshot }),
      };
      const isDone = await seat.run(begin, hooks);
      seat.leave();
      return isDone ? 0 : 1;
    },
  };
}
