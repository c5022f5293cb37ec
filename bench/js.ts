/**
 * JavaScript applications behind nettool and on the host their documentation names: the same application, core and
 * run. What counts is the CPU time a request costs.
 */
import { createRequire } from 'node:module';
import {
  endPeer,
  isInstalled,
  load,
  median,
  type Peer,
  type Sample,
  startPeer,
  table,
  warmUp,
} from './harness.js';

const SECONDS = 3;
const LOAD = ['-c64'];
const HOST = 'bench/apps/js/host.cjs';

/** One application and the hosts it is usually run on; the ratio to the first of them is the one `wanted` speaks of. */
interface Case {
  readonly app: string;
  readonly hosts: readonly string[];
  readonly wanted: number;
}

const CASES: readonly Case[] = [
  { app: 'fetch', hosts: ['@hono/node-server', 'srvx'], wanted: 1.2 },
  { app: 'hono', hosts: ['@hono/node-server', 'srvx'], wanted: 1.2 },
  { app: 'h3', hosts: ['srvx', '@hono/node-server'], wanted: 1 },
  { app: 'listener', hosts: ['node:http'], wanted: 1 },
  { app: 'express', hosts: ['listen'], wanted: 1 },
  { app: 'koa', hosts: ['listen'], wanted: 1 },
  { app: 'fastify', hosts: ['listen'], wanted: 1 },
];

let nextPort = 9900 + (process.pid % 200);

/** Measures every application on every host in turn, several rounds, and prints every ratio. */
export async function run(rounds = 3): Promise<void> {
  for (const program of ['wrk', 'taskset']) {
    if (!isInstalled(program)) throw new Error(`${program} is not installed`);
  }
  const only = process.env.BENCH_APPS?.split(',');
  for (const one of CASES) if (only?.includes(one.app) !== false) await measureCase(one, rounds);
}

async function measureCase({ app, hosts, wanted }: Case, rounds: number): Promise<void> {
  const file = `bench/apps/js/${app}.mjs`;
  const peers = [nettool(file), ...hosts.filter(isThere).map((host) => usual(host, file))];
  const samples = new Map<Peer, Sample[]>(peers.map((peer) => [peer, []]));
  for (let round = 0; round < rounds; round++) {
    for (const peer of peers) samples.get(peer)?.push(await measure(peer));
  }
  const of = (peer: Peer, pick: (sample: Sample) => number): number =>
    median((samples.get(peer) ?? []).map(pick));
  const cost = (peer: Peer): number => of(peer, (sample) => sample.cpuMicrosPerRequest);
  const [ours] = peers as [Peer];
  const rows = peers.map((peer, index) => {
    const ratio = cost(peer) / cost(ours);
    return [
      peer.name,
      `${Math.round(of(peer, (sample) => sample.requestsPerSecond))}/s`,
      `${cost(peer).toFixed(1)} µs`,
      index === 0 ? '' : `${ratio.toFixed(2)}×`,
      peer.name === hosts[0] ? `wanted ${wanted}: ${ratio >= wanted ? 'yes' : 'NO'}` : '',
    ];
  });
  console.log(`\n${app}`);
  console.log(table([['', 'requests', 'CPU each', 'nettool is', ''], ...rows]));
}

/** Of the hosts that are packages some may not be installed. */
function isThere(host: string): boolean {
  try {
    if (host !== 'listen') createRequire(import.meta.url).resolve(host);
    return true;
  } catch {
    console.error(`${host} is not installed`);
    return false;
  }
}

function usual(name: string, file: string): Peer {
  const port = nextPort++;
  return { name, port, command: [process.execPath, HOST, name, file, String(port)] };
}

function nettool(file: string): Peer {
  const port = nextPort++;
  const program = process.env.NETTOOL_BIN
    ? [process.env.NETTOOL_BIN]
    : [process.execPath, '--import', 'tsx', 'bin/nettool.ts'];
  return { name: 'nettool', port, command: [...program, 'serve', file, String(port), '--log', 'none', '-q'] };
}

async function measure(peer: Peer): Promise<Sample> {
  const child = await startPeer(peer);
  const url = `http://127.0.0.1:${peer.port}/`;
  try {
    await warmUp(child.pid as number, url, LOAD);
    return await load(child.pid as number, url, SECONDS, LOAD);
  } finally {
    await endPeer(child);
  }
}
