/**
 * Python applications behind nettool, gunicorn and uvicorn: the same application, core and run. All processes of a
 * server share one core, so what counts is the CPU time a request costs, whoever spends it.
 */
import { endPeer, isInstalled, load, median, type Peer, type Sample, startPeer, table } from './harness.js';

const PYTHON = '/usr/bin/python3';
const SECONDS = 3;
/** Until both sides have compiled what they use. */
const WARM_UP_SECONDS = 2;
const LOAD = ['-c64'];

/** One application, and how it is served by whom. */
interface Case {
  readonly title: string;
  readonly app: string;
  readonly rivals: readonly Rival[];
  /** How many times cheaper than each rival a request should be, in their order. */
  readonly wanted: readonly number[];
}

interface Rival {
  readonly name: string;
  readonly command: (app: string, port: number) => readonly string[];
}

let nextPort = 9100 + (process.pid % 500);

const module = (name: string, ...args: readonly string[]): readonly string[] => [PYTHON, '-m', name, ...args];

const gunicorn = (name: string, ...flags: readonly string[]): Rival => ({
  name: `gunicorn ${name}`,
  command: (app, port) =>
    module(
      'gunicorn',
      ...['--chdir', 'bench/apps', '-w', '1', '-b', `127.0.0.1:${port}`],
      ...['--log-level', 'error', ...flags, app],
    ),
});

const uvicorn = (http: string, loop: string): Rival => ({
  name: `uvicorn ${http}`,
  command: (app, port) =>
    module(
      'uvicorn',
      ...['--app-dir', 'bench/apps', '--port', String(port), '--http', http, '--loop', loop],
      ...['--no-access-log', '--log-level', 'error', app],
    ),
});

const nettool: Rival = {
  name: 'nettool',
  command: (app, port) => [
    // The flag is one that the binary carries.
    ...[process.execPath, '--min-semi-space-size=4', '--import', 'tsx', 'bench/serve-python.ts'],
    ...[`bench/apps/${app.replace(':', '.py:')}`, PYTHON, String(port)],
  ],
};

const wsgi = [gunicorn('sync'), gunicorn('gthread', '-k', 'gthread', '--threads', '8')];
const asgi = [uvicorn('h11', 'asyncio'), uvicorn('httptools', 'uvloop')];

const CASES: readonly Case[] = [
  { title: 'WSGI hello', app: 'wsgi_hello:app', rivals: wsgi, wanted: [3] },
  { title: 'Flask hello', app: 'flask_hello:app', rivals: wsgi, wanted: [2] },
  { title: 'ASGI hello', app: 'asgi_hello:app', rivals: asgi, wanted: [2, 0.9] },
  { title: 'FastAPI hello', app: 'fastapi_hello:app', rivals: asgi, wanted: [1.5, 0.9] },
];

/** Measures every application with every server in turn, several rounds, and prints every ratio. */
export async function run(rounds = 3): Promise<void> {
  for (const program of ['wrk', 'gunicorn', 'uvicorn', 'taskset']) {
    if (!isInstalled(program)) throw new Error(`${program} is not installed`);
  }
  for (const one of CASES) await measureCase(one, rounds);
}

async function measureCase({ title, app, rivals, wanted }: Case, rounds: number): Promise<void> {
  const peers = [nettool, ...rivals].map(({ name, command }): Peer => {
    const port = nextPort++;
    return { name, port, command: command(app, port) };
  });
  const samples = new Map<Peer, Sample[]>(peers.map((peer) => [peer, []]));
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) samples.get(peer)?.push(await measure(peer));
  }
  const cost = (peer: Peer): number =>
    median((samples.get(peer) ?? []).map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest));
  const [ours] = peers as [Peer];
  const rows = peers.map((peer, index) => {
    const ratio = cost(peer) / cost(ours);
    const least = wanted[index - 1];
    const verdict = least === undefined ? '' : `wanted ${least}: ${ratio >= least ? 'yes' : 'NO'}`;
    const rate = median((samples.get(peer) ?? []).map(({ requestsPerSecond }) => requestsPerSecond));
    return [
      peer.name,
      `${Math.round(rate)}/s`,
      `${cost(peer).toFixed(1)} µs`,
      index === 0 ? '' : `${ratio.toFixed(2)}×`,
      verdict,
    ];
  });
  console.log(`\n${title}`);
  console.log(table([['', 'requests', 'CPU each', 'nettool is', ''], ...rows]));
}

async function measure(peer: Peer): Promise<Sample> {
  const child = await startPeer(peer);
  const url = `http://127.0.0.1:${peer.port}/`;
  try {
    await load(child.pid as number, url, WARM_UP_SECONDS, LOAD);
    return await load(child.pid as number, url, SECONDS, LOAD);
  } finally {
    await endPeer(child);
  }
}
