/** nettool serve beside other file servers: `node --import tsx bench/serve.ts [rounds]`, or `run()`. */
import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { endPeer, isInstalled, load, median, type Peer, type Sample, startPeer, table } from './harness.js';
import { createNginx } from './nginx.js';

/** What is asked for, and how good we are to be beside a peer. */
interface Case {
  readonly name: string;
  readonly path: string;
  readonly flags: readonly string[];
  readonly seconds: number;
  /** Asks again with the tag a peer gave. */
  readonly isRevalidation?: boolean;
  readonly goals: Readonly<Record<string, number>>;
}

const CASES: readonly Case[] = [
  {
    name: '1 KiB file',
    path: '/1k.txt',
    flags: ['-c64'],
    seconds: 2,
    goals: { nginx: 1, caddy: 4, serve: 6, 'http-server': 6, sirv: 6 },
  },
  { name: '304', path: '/1k.txt', flags: ['-c64'], seconds: 2, isRevalidation: true, goals: { nginx: 1 } },
  {
    name: '20 KB page, gzip',
    path: '/page.html',
    flags: ['-c64', '-H', 'Accept-Encoding: gzip'],
    seconds: 2,
    goals: {},
  },
  { name: '1000 files of 4 KB', path: '/many/', flags: ['-c64'], seconds: 2, goals: {} },
  { name: '100 MB file', path: '/100m.bin', flags: ['-c4'], seconds: 3, goals: { nginx: 0.8 } },
];

const MANY = 1000;

/** What a compiler needs to have seen; on a busy machine one round may be far less. */
const WARM_UP_REQUESTS = 50_000;
const MAX_WARM_UP_ROUNDS = 4;

/** Some write a line for each request to where nobody wants it. */
const QUIET = ['sh', '-c', 'exec "$@" 2>/dev/null', 'sh'];

/** Measures all servers that are there in alternating short runs; prints medians and ratios, also those that fall short. */
export async function run(rounds = 3): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-serve-'));
  const site = join(folder, 'site');
  try {
    writeSite(site);
    const peers = [
      createOurs(site, 18_100),
      ...createPeers(folder, site),
      ...(await createNodePeers(folder, site)),
    ];
    const rows = [['case', 'server', 'requests/s', 'CPU µs/request', 'nettool is (CPU)', 'goal']];
    for (const one of CASES) rows.push(...(await measure(one, peers, folder, rounds)));
    console.log(table(rows));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeSite(site: string): void {
  mkdirSync(join(site, 'many'), { recursive: true });
  writeFileSync(join(site, '1k.txt'), 'x'.repeat(1024));
  writeFileSync(join(site, '100m.bin'), Buffer.alloc(100_000_000, 'x'));
  const words = Array.from({ length: 2000 }, (_, index) => `word${(index * 7919) % 997}`).join(' ');
  writeFileSync(join(site, 'page.html'), `<!doctype html><p>${words}`);
  for (let count = 0; count < MANY; count += 1) {
    writeFileSync(join(site, 'many', `${count}.txt`), String(count).padEnd(4000, '.'));
  }
}

/** `$NETTOOL_BIN` measures the packed program. */
function createOurs(site: string, port: number): Peer {
  const program = fileURLToPath(new URL('../bin/nettool.ts', import.meta.url));
  const binary = process.env.NETTOOL_BIN;
  const start = binary === undefined ? [process.execPath, '--import', 'tsx', program] : [binary];
  return { name: 'nettool', port, command: [...start, 'serve', site, String(port), '--log', 'none', '-q'] };
}

function createPeers(folder: string, site: string): Peer[] {
  const nginx = (port: number) => createNginx(folder, { port, server: `root ${site};` }).command;
  const caddy = (port: number) => ['caddy', 'run', '--config', writeCaddyfile(folder, site, port)];
  const python = (port: number) => [
    'python3',
    '-m',
    'http.server',
    String(port),
    '-b',
    '127.0.0.1',
    '-d',
    site,
  ];
  const all = [
    { name: 'nginx', port: 18_101, program: 'nginx', command: nginx },
    { name: 'caddy', port: 18_102, program: 'caddy', command: caddy },
    { name: 'python', port: 18_103, program: 'python3', command: python },
  ];
  return all.flatMap(({ name, port, program, command }) => {
    if (isInstalled(program)) return [{ name, port, command: command(port) }];
    console.log(`${program} is not installed: left out`);
    return [];
  });
}

function writeCaddyfile(folder: string, site: string, port: number): string {
  const config = join(folder, 'Caddyfile');
  const global = `{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\toutput discard\n\t}\n}\n`;
  writeFileSync(
    config,
    `${global}http://127.0.0.1:${port} {\n\troot * ${site}\n\tencode gzip\n\tfile_server\n}\n`,
  );
  return config;
}

/** The servers people start with npx; `$BENCH_PEERS` names a folder they are installed in already. */
async function createNodePeers(folder: string, site: string): Promise<Peer[]> {
  const place = process.env.BENCH_PEERS ?? folder;
  if (process.env.BENCH_PEERS === undefined) {
    const flags = ['install', '--no-audit', '--no-fund', '--prefix', place];
    const packages = ['serve@14', 'http-server@14', 'sirv-cli@3'];
    await promisify(execFile)('npm', [...flags, ...packages], { timeout: 120_000 }).catch(() => {
      console.log('npm cannot install serve, http-server and sirv-cli: left out');
    });
  }
  const script = (path: string) => [process.execPath, join(place, 'node_modules', path)];
  const peers: Peer[] = [
    {
      name: 'serve',
      port: 18_104,
      command: [...script('serve/build/main.js'), '-L', '-l', 'tcp://127.0.0.1:18104', site],
    },
    {
      name: 'http-server',
      port: 18_105,
      command: [...script('http-server/bin/http-server'), site, '-p', '18105', '-a', '127.0.0.1', '-s', '-g'],
    },
    {
      name: 'sirv',
      port: 18_106,
      command: [...script('sirv-cli/bin.js'), site, '-p', '18106', '-H', '127.0.0.1', '-q', '-e', '-g'],
    },
  ];
  return peers.filter(({ command }) => existsSync(command[1] as string));
}

/** One server at a time is up, as several at once would share the core. */
async function measure(
  one: Case,
  peers: readonly Peer[],
  folder: string,
  rounds: number,
): Promise<string[][]> {
  const samples = new Map<Peer, Sample[]>();
  for (const peer of peers) {
    let child: ChildProcess | undefined;
    try {
      child = await startPeer({ ...peer, command: [...QUIET, ...peer.command] });
      samples.set(peer, await sample(one, peer, child.pid ?? 0, folder, rounds));
    } catch (error) {
      // vercel/serve, for one, runs out of descriptors when it answers 304.
      const isDead = child !== undefined && child.exitCode !== null;
      console.log(`${peer.name}, ${one.name}: ${isDead ? 'the server has died' : error}`);
    } finally {
      await endPeer(child);
    }
  }
  return toRows(one, samples);
}

async function sample(one: Case, peer: Peer, pid: number, folder: string, rounds: number): Promise<Sample[]> {
  const url = `http://127.0.0.1:${peer.port}${one.path}`;
  const flags = [...one.flags];
  if (one.isRevalidation) flags.push('-H', await validatorOf(url));
  if (one.path === '/many/') flags.push('-s', writeScript(folder));
  const target = one.path === '/many/' ? `http://127.0.0.1:${peer.port}/` : url;
  const all: Sample[] = [];
  let warmedUp = 0;
  for (let round = 0; round < MAX_WARM_UP_ROUNDS && warmedUp < WARM_UP_REQUESTS; round += 1) {
    const { requestsPerSecond } = await load(pid, target, one.seconds, flags);
    warmedUp += one.seconds * requestsPerSecond;
  }
  for (let round = 0; round < rounds; round += 1) all.push(await load(pid, target, one.seconds, flags));
  return all;
}

async function validatorOf(url: string): Promise<string> {
  const { headers, body } = await fetch(url);
  await body?.cancel();
  const etag = headers.get('etag');
  return etag === null ? `If-Modified-Since: ${headers.get('last-modified')}` : `If-None-Match: ${etag}`;
}

/** wrk asks for one file after the other. */
function writeScript(folder: string): string {
  const script = join(folder, 'many.lua');
  writeFileSync(
    script,
    `local n = 0
    request = function() n = (n + 1) % ${MANY}; return wrk.format('GET', '/many/' .. n .. '.txt') end`,
  );
  return script;
}

function toRows(one: Case, samples: ReadonlyMap<Peer, readonly Sample[]>): string[][] {
  const cost = (list: readonly Sample[]): number => median(list.map((each) => each.cpuMicrosPerRequest));
  const [ours, ...others] = [...samples];
  if (ours === undefined) return [];
  const figures = (list: readonly Sample[]): string[] => [
    median(list.map((each) => each.requestsPerSecond)).toFixed(0),
    cost(list).toFixed(1),
  ];
  const rows = [[one.name, ours[0].name, ...figures(ours[1]), '', '']];
  for (const [peer, theirs] of others) {
    const ratio = cost(theirs) / cost(ours[1]);
    const goal = one.goals[peer.name];
    const verdict = goal === undefined ? '' : `≥ ${goal}×${ratio < goal ? ' (falls short)' : ''}`;
    rows.push(['', peer.name, ...figures(theirs), `${ratio.toFixed(2)}×`, verdict]);
  }
  return rows;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!isInstalled('wrk')) throw new Error('wrk is needed');
  await run(Number(process.argv[2] ?? 3));
}
