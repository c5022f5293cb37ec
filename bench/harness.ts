import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A server to be measured: a command that listens on the port. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  readonly command: readonly string[];
  /** The path to ask for, where it is not that of the case. */
  readonly paths?: Readonly<Record<string, string>>;
}

/** One figure of one run. */
export interface Sample {
  readonly requestsPerSecond: number;
  /** Of the server, all its threads and processes: the honest figure while others use the machine. */
  readonly cpuMicrosPerRequest: number;
}

const SERVER_CORE = '0';
const LOAD_CORE = '1';

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Starts a peer on the server's core and waits until it accepts connections. */
export async function startPeer(peer: Peer): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', SERVER_CORE, ...peer.command], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(peer.port, '127.0.0.1');
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isUp) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill();
  throw new Error(`${peer.name} does not answer on port ${peer.port}`);
}

/** The process and its children. */
function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readIfThere(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

/** Threads come and go while they are counted. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Nanoseconds of CPU a process and its children have used. */
function cpuNanos(pid: number): number {
  let nanos = 0;
  for (const member of family(pid)) {
    for (const task of readdirSync(`/proc/${member}/task`)) {
      nanos += Number(readIfThere(`/proc/${member}/task/${task}/schedstat`).split(' ')[0]);
    }
  }
  return nanos;
}

/** Runs wrk against a peer on the load's core. */
export async function load(
  pid: number,
  url: string,
  seconds: number,
  options: readonly string[],
): Promise<Sample> {
  const before = cpuNanos(pid);
  const flags = ['-c', LOAD_CORE, 'wrk', '-t1', `-d${seconds}s`, ...options, url];
  const { stdout } = await run('taskset', flags);
  const cpu = cpuNanos(pid) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0);
  if (/Non-2xx|Socket errors: .*(?:connect|read) [1-9]/.test(stdout))
    process.stderr.write(`${url}: ${stdout}`);
  return { requestsPerSecond: rate, cpuMicrosPerRequest: cpu / 1000 / Math.max(1, requests) };
}

/** System calls per request, counted by strace over a short run of its own. */
export async function countCalls(pid: number, url: string): Promise<number> {
  if (!isInstalled('strace')) return Number.NaN;
  const tracer = spawn(
    'strace',
    ['-f', '-c', '-o', '/dev/stdout', ...family(pid).flatMap((one) => ['-p', String(one)])],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  let report = '';
  tracer.stdout.on('data', (piece) => {
    report += piece;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { stdout } = await run('taskset', ['-c', LOAD_CORE, 'wrk', '-t1', '-c64', '-d1s', url]);
  const gone = new Promise((resolve) => tracer.on('close', resolve));
  tracer.kill('SIGINT');
  await gone;
  const calls = Number(/\s(\d+)\s+(?:\d+\s+)?total\s*$/m.exec(report)?.[1] ?? Number.NaN);
  return calls / Number(/(\d+) requests in/.exec(stdout)?.[1] ?? Number.NaN);
}

/** The middle of a list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Rows in columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n');
}

const WARM_UP_SECONDS = 2;
/** Until both sides have compiled what they use; on a busy machine that takes a while. */
const WARM_UP_REQUESTS = 60_000;
const MAX_WARM_UP_ROUNDS = 6;

/** Loads a server until it has compiled what it uses. */
export async function warmUp(pid: number, url: string, options: readonly string[]): Promise<void> {
  let requests = 0;
  for (let round = 0; round < MAX_WARM_UP_ROUNDS && requests < WARM_UP_REQUESTS; round += 1) {
    const { requestsPerSecond } = await load(pid, url, WARM_UP_SECONDS, options);
    requests += WARM_UP_SECONDS * requestsPerSecond;
  }
}

/** How long a program may take to end: one that has run out of descriptors may not do it by itself. */
const END_PATIENCE_MS = 5000;

/** Ends a program that was started, and waits until it has; one that does not listen is killed. */
export async function endPeer(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill();
  const timer = setTimeout(() => child.kill('SIGKILL'), END_PATIENCE_MS);
  await gone;
  clearTimeout(timer);
}
