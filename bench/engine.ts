import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  countCalls,
  isInstalled,
  load,
  median,
  type Peer,
  type Sample,
  startPeer,
  table,
} from './harness.js';
import { createNginx } from './nginx.js';

/** What is asked for, and how good the engine is to be beside a peer. */
interface Case {
  readonly name: string;
  readonly path: string;
  readonly flags: readonly string[];
  readonly seconds: number;
  readonly goals: Readonly<Record<string, number>>;
}

/** What a browser sends with a click, beside Host. */
const BROWSER = [
  'Connection: keep-alive',
  'sec-ch-ua: "Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
  'sec-ch-ua-mobile: ?0',
  'sec-ch-ua-platform: "Linux"',
  'Upgrade-Insecure-Requests: 1',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Sec-Fetch-Site: none',
  'Sec-Fetch-Mode: navigate',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-US,en;q=0.9',
];

const CASES: readonly Case[] = [
  { name: '1 KiB', path: '/1k', flags: ['-c64'], seconds: 2, goals: { 'node:http': 1.35, nginx: 1.1 } },
  {
    name: '1 KiB, 12 fields',
    path: '/1k',
    flags: ['-c64', ...BROWSER.flatMap((field) => ['-H', field])],
    seconds: 2,
    goals: { nginx: 1 },
  },
  { name: '1 MB file', path: '/1m', flags: ['-c16'], seconds: 2, goals: { nginx: 0.8 } },
  { name: '100 MB file', path: '/100m', flags: ['-c4'], seconds: 4, goals: { nginx: 0.8 } },
];

const SIZES = { '1k': 1024, '1m': 1_000_000, '100m': 100_000_000 };

/** Measures the engine beside node:http and nginx: alternating short runs, medians, ratios. */
export async function bench(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  for (const [name, size] of Object.entries(SIZES))
    writeFileSync(join(folder, name), Buffer.alloc(size, 'x'));
  const peers = createPeers(folder);
  const children = new Map(
    await Promise.all(peers.map(async (peer) => [peer, await startPeer(peer)] as const)),
  );
  try {
    const rows = [
      ['case', 'server', 'requests/s', 'CPU µs/request', 'engine is (rate)', 'engine is (CPU)', 'goal'],
    ];
    for (const one of CASES) {
      const samples = new Map<Peer, Sample[]>(peers.map((peer) => [peer, []]));
      for (let round = 0; round <= rounds; round += 1) {
        for (const peer of peers) {
          const url = `http://127.0.0.1:${peer.port}${one.path}`;
          const sample = await load(children.get(peer)?.pid ?? 0, url, one.seconds, one.flags);
          // The first round warms up.
          if (round > 0) samples.get(peer)?.push(sample);
        }
      }
      rows.push(...toRows(one, samples));
    }
    console.log(table(rows));
    for (const peer of peers) {
      const calls = await countCalls(children.get(peer)?.pid ?? 0, `http://127.0.0.1:${peer.port}/1k`);
      console.log(`${peer.name}: ${calls.toFixed(2)} system calls per 1 KiB request`);
    }
  } finally {
    for (const child of children.values()) child.kill();
    rmSync(folder, { recursive: true });
  }
}

function createPeers(folder: string): Peer[] {
  const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const node = [process.execPath, '--import', 'tsx'];
  const peers: Peer[] = [
    { name: 'engine', port: 18_081, command: [...node, script('engine-server.ts'), '18081', folder] },
    { name: 'node:http', port: 18_082, command: [...node, script('node-http-server.ts'), '18082', folder] },
  ];
  if (isInstalled('nginx')) peers.push(createNginx(folder, { port: 18_083, server: `root ${folder};` }));
  else console.log('nginx is not installed: left out');
  return peers;
}

function toRows(one: Case, samples: ReadonlyMap<Peer, readonly Sample[]>): string[][] {
  const [engine, ...others] = [...samples];
  const own = engine?.[1] ?? [];
  const rows = [[one.name, 'engine', ...figures(own), '', '', '']];
  for (const [peer, theirs] of others) {
    const rates = own.map(
      (sample, round) => sample.requestsPerSecond / (theirs[round]?.requestsPerSecond ?? Number.NaN),
    );
    const costs = own.map(
      (sample, round) => (theirs[round]?.cpuMicrosPerRequest ?? Number.NaN) / sample.cpuMicrosPerRequest,
    );
    const goal = one.goals[peer.name];
    rows.push([
      '',
      peer.name,
      ...figures(theirs),
      `${median(rates).toFixed(2)}×`,
      `${median(costs).toFixed(2)}×`,
      goal === undefined ? '' : `≥ ${goal}×`,
    ]);
  }
  return rows;
}

function figures(samples: readonly Sample[]): [string, string] {
  return [
    median(samples.map((sample) => sample.requestsPerSecond)).toFixed(0),
    median(samples.map((sample) => sample.cpuMicrosPerRequest)).toFixed(1),
  ];
}
