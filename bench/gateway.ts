/**
 * Python applications behind nettool, gunicorn and uvicorn: the same application, machine and run. What counts is the
 * CPU time a request costs, summed over all processes of a server (so that one with more processes has no advantage),
 * and with it requests per second and core. Needs wrk, gunicorn and uvicorn.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const PYTHON = '/usr/bin/python3';
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
const CONNECTIONS = 64;
const TICKS_PER_SECOND = 100;

let nextPort = 9100 + (process.pid % 500);

interface Server {
  readonly name: string;
  readonly command: (port: number) => readonly string[];
}

interface Result {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly cpuMicroseconds: number;
}

interface Comparison {
  readonly title: string;
  readonly app: string;
  readonly rivals: readonly Server[];
  /** What we want to be against the first rival, per CPU. */
  readonly wanted: number;
}

const gunicorn = (app: string): Server => ({
  name: 'gunicorn sync',
  command: (port) => [
    PYTHON,
    '-m',
    'gunicorn',
    '-w',
    '1',
    '-b',
    `127.0.0.1:${port}`,
    '--log-level',
    'error',
    app,
  ],
});
const gthread = (app: string): Server => ({
  name: 'gunicorn gthread',
  command: (port) => [...gunicorn(app).command(port).slice(0, -1), '-k', 'gthread', '--threads', '8', app],
});
const uvicorn = (app: string, http = 'h11', loop = 'asyncio'): Server => ({
  name: `uvicorn ${http}`,
  command: (port) => [
    ...[PYTHON, '-m', 'uvicorn', '--port', String(port), '--http', http, '--loop', loop],
    ...['--no-access-log', '--log-level', 'error', app],
  ],
});
const nettool = (app: string): Server => ({
  name: 'nettool',
  command: (port) => [
    process.execPath,
    '--import',
    'tsx',
    'bench/serve-python.ts',
    app,
    PYTHON,
    String(port),
  ],
});

const COMPARISONS: readonly Comparison[] = [
  {
    title: 'WSGI hello',
    app: 'wsgi_hello:app',
    rivals: [gunicorn('wsgi_hello:app'), gthread('wsgi_hello:app')],
    wanted: 3,
  },
  {
    title: 'Flask hello',
    app: 'flask_hello:app',
    rivals: [gunicorn('flask_hello:app'), gthread('flask_hello:app')],
    wanted: 2,
  },
  {
    title: 'ASGI hello',
    app: 'asgi_hello:app',
    rivals: [uvicorn('asgi_hello:app'), uvicorn('asgi_hello:app', 'httptools', 'uvloop')],
    wanted: 2,
  },
  {
    title: 'FastAPI hello',
    app: 'fastapi_hello:app',
    rivals: [uvicorn('fastapi_hello:app'), uvicorn('fastapi_hello:app', 'httptools', 'uvloop')],
    wanted: 1.5,
  },
];

/** Measures everything and prints every ratio. */
export async function run(): Promise<void> {
  for (const { title, app, rivals, wanted } of COMPARISONS) {
    const ours = await measure(nettool(`bench/apps/${app.replace(':', '.py:')}`));
    const theirs: Result[] = [];
    for (const rival of rivals) theirs.push(await measure(rival));
    console.log(`\n${title}`);
    for (const result of [ours, ...theirs]) console.log(describe(result));
    for (const [index, result] of theirs.entries()) {
      const ratio = result.cpuMicroseconds / ours.cpuMicroseconds;
      const goal = index === 0 ? ` (wanted ${wanted}×: ${ratio >= wanted ? 'yes' : 'NO'})` : '';
      console.log(`  per core ${ratio.toFixed(2)}× ${result.name}${goal}`);
    }
  }
}

function describe({ name, requestsPerSecond, cpuMicroseconds }: Result): string {
  const rate = Math.round(requestsPerSecond).toLocaleString('en');
  const perCore = Math.round(1e6 / cpuMicroseconds).toLocaleString('en');
  return `  ${name.padEnd(18)} ${rate.padStart(8)} requests/s  ${cpuMicroseconds.toFixed(1).padStart(6)} µs CPU each  ${perCore.padStart(8)} per core and second`;
}

async function measure(server: Server): Promise<Result> {
  // Below the range the system gives to outgoing connections.
  const port = nextPort++;
  const [command = '', ...args] = server.command(port);
  const env = { ...process.env, PYTHONPATH: 'bench/apps' };
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], detached: true, env });
  try {
    await awaitPort(port);
    await wrk(port, 1);
    const before = await cpuTicks(child);
    const { requests, seconds } = await wrk(port, SECONDS);
    const ticks = (await cpuTicks(child)) - before;
    return {
      name: server.name,
      requestsPerSecond: requests / seconds,
      cpuMicroseconds: ((ticks / TICKS_PER_SECOND) * 1e6) / requests,
    };
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  }
}

async function wrk(port: number, seconds: number): Promise<{ requests: number; seconds: number }> {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, `http://127.0.0.1:${port}/`];
  const { stdout } = await promisify(execFile)('wrk', args);
  if (/Non-2xx/.test(stdout)) throw new Error(stdout);
  const [, requests, took] = /(\d+) requests in ([\d.]+)s/.exec(stdout) ?? [];
  return { requests: Number(requests), seconds: Number(took) };
}

async function awaitPort(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.once('close', () => {});
      setTimeout(() => socket.destroy(), 50);
    });
    if (isOpen) return;
    await delay(100);
  }
  throw new Error('the server did not start');
}

/** User and system time of a process and everything below it. */
async function cpuTicks(root: ChildProcess): Promise<number> {
  const parents = new Map<number, number>();
  const ticks = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    parents.set(Number(name), Number(fields[1]));
    ticks.set(Number(name), Number(fields[11]) + Number(fields[12]));
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root.pid || isBelow(parents.get(pid)));
  return [...ticks].reduce((sum, [pid, count]) => sum + (isBelow(pid) ? count : 0), 0);
}

if (process.argv[1] === import.meta.filename) await run();
