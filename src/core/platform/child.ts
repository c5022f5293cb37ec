import { type ChildProcess, type Serializable, type StdioOptions, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { deliverLines } from './lines.js';
import { isWindows } from './os.js';
import { type ChildPipe, handOver, openPipe } from './pipe.js';

/** How long output may still come once the process itself is gone (a grandchild may hold the pipe open). */
const LAST_OUTPUT_MS = 500;

/** What a child is given. */
export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** How many two-way streams it inherits as descriptors 3, 4, … */
  readonly channels?: number;
  /** Whether it is a Node process spoken to by messages ({@link Child.send}, `onMessage`). */
  readonly ipc?: boolean;
  readonly onMessage?: (message: unknown) => void;
  /** Called with each line it writes. */
  readonly onLine: (line: string, stream: 'stdout' | 'stderr') => void;
}

/** How a child ended: by itself with a code, by a signal, or never started. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

/** A process that runs beside us for long, with everything it has started. */
export interface Child {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly channels: readonly Duplex[];
  /** Resolves when it is gone and its output was delivered; never rejects. */
  readonly exited: Promise<ChildExit>;
  /** Signals it and everything it has started, or it alone. */
  signal(name: NodeJS.Signals, scope?: 'tree' | 'self'): void;
  /** Sends a message, and a server or socket with it, to a child started with `ipc`; `keepOpen` leaves ours open. */
  send(
    message: Serializable,
    handle?: Parameters<ChildProcess['send']>[1],
    options?: { readonly keepOpen: boolean },
  ): void;
}

/** Starts a process in a group of its own: the terminal's Ctrl-C does not reach it, a signal to the group ends it whole. */
export function startChild(command: string, args: readonly string[], options: ChildOptions): Child {
  const channels = options.channels ?? 0;
  const [out, err] = [openPipe('out'), openPipe('out')];
  const stdio: StdioOptions = ['ignore', out?.theirs ?? 'pipe', err?.theirs ?? 'pipe'];
  stdio.push(...Array<'pipe'>(channels).fill('pipe'));
  if (options.ipc === true) stdio.push('ipc');
  const child = handOver([out, err], () =>
    spawn(command, args, {
      stdio,
      detached: !isWindows,
      windowsHide: true,
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.env !== undefined && { env: options.env }),
    }),
  );
  const outputs = [out?.ours ?? child.stdout, err?.ours ?? child.stderr] as const;
  if (outputs[0] !== null) deliverLines(outputs[0], (line) => options.onLine(line, 'stdout'));
  if (outputs[1] !== null) deliverLines(outputs[1], (line) => options.onLine(line, 'stderr'));
  if (options.onMessage !== undefined) child.on('message', options.onMessage);
  const streams = child.stdio.slice(3, 3 + channels) as unknown as Duplex[];
  // A broken pipe is told by the exit; without a listener it would end the whole program.
  for (const stream of streams) stream?.on('error', () => {});
  return {
    pid: child.pid,
    channels: streams,
    exited: awaitExit(child, [out, err]),
    signal: (name, scope = 'tree') => {
      if (scope === 'tree') signalTree(child, name);
      else child.kill(name);
    },
    send: (message, handle, sendOptions) => {
      if (child.connected) child.send(message, handle, { ...sendOptions }, () => {});
    },
  };
}

async function awaitExit(child: ChildProcess, pipes: readonly (ChildPipe | undefined)[]): Promise<ChildExit> {
  const sources = [child, ...pipes.flatMap((pipe) => pipe?.ours ?? [])];
  const closed = Promise.all(
    sources.map((source) => new Promise<void>((resolve) => source.once('close', () => resolve()))),
  );
  const exit = await new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
  });
  // What it has started and left behind goes with it.
  signalTree(child, 'SIGKILL');
  if (exit.error === undefined)
    await Promise.race([closed, delay(LAST_OUTPUT_MS, undefined, { ref: false })]);
  return exit;
}

function signalTree(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  if (isWindows) {
    child.kill(name);
    return;
  }
  try {
    process.kill(-child.pid, name);
  } catch {
    // Nobody is left in the group.
  }
}

/** How a child is to be ended. */
export interface StopOptions {
  /** The polite request, where it is something else than SIGTERM to the group. */
  readonly ask?: () => void;
  /** How long it may take before it is killed. */
  readonly graceMs: number;
}

/** Ends a child: asks, waits, then kills it with everything it has started. */
export async function stopChild(child: Child, { ask, graceMs }: StopOptions): Promise<ChildExit> {
  const timer = new AbortController();
  const late = delay(graceMs, 'late' as const, { signal: timer.signal }).catch(() => 'late' as const);
  if (ask === undefined) child.signal('SIGTERM');
  else ask();
  const first = await Promise.race([child.exited, late]);
  timer.abort();
  if (first === 'late') child.signal('SIGKILL');
  return child.exited;
}

/** `exit code 3`, `signal SIGSEGV`, or why it could not be started. */
export function describeExit(exit: ChildExit): string {
  if (exit.error !== undefined) return exit.error.message;
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}
