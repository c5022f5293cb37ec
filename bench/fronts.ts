/**
 * What stands before other servers: a reverse proxy before nginx's 1 KiB file, and PHP by php-fpm, each beside nginx
 * doing the same, on one core in one run. The servers behind are not counted.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endPeer, isInstalled, load, median, type Peer, type Sample, startPeer, table } from './harness.js';
import { createNginx } from './nginx.js';

const SECONDS = 3;
const WARM_UP_SECONDS = 2;
/** What a compiler needs to have seen; on a busy machine one round may be far less. */
const WARM_UP_REQUESTS = 30_000;
const MAX_WARM_UP_ROUNDS = 4;
const LOAD = ['-c64'];
const PHP_FPM = 'php-fpm8.2';

interface Case {
  readonly name: 'proxy' | 'php';
  readonly title: string;
  readonly path: string;
  readonly ours: Peer;
  readonly nginx: Peer;
  /** Of nginx's speed per CPU time. */
  readonly wanted: number;
}

/** Measures both in turn, several rounds, and prints the ratios; of one case only, when it is named. */
export async function benchFronts(rounds = 3, only?: string): Promise<void> {
  for (const program of ['wrk', 'nginx', 'taskset']) {
    if (!isInstalled(program)) throw new Error(`${program} is not installed`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'nettool-bench-'));
  const behind: ChildProcess[] = [];
  try {
    const port = 9700 + (process.pid % 200);
    const site = join(folder, 'site');
    mkdirSync(site);
    writeFileSync(join(site, '1k.txt'), 'x'.repeat(1024));
    writeFileSync(join(site, 'hello.php'), '<?php echo "hello";');
    behind.push(start(createNginx(folder, { name: 'up', port, server: `root ${site};` }).command));
    const cases = [
      proxyCase(folder, port),
      isInstalled(PHP_FPM) ? await phpCase(folder, site, port, behind) : undefined,
    ];
    for (const one of cases) {
      if (one !== undefined && (only === undefined || only === one.name)) await measureCase(one, rounds);
    }
  } finally {
    // They take their own files away.
    await Promise.all(behind.map(endPeer));
    rmSync(folder, { recursive: true, force: true });
  }
}

function proxyCase(folder: string, port: number): Case {
  const upstream = `http://127.0.0.1:${port}`;
  const conf = `upstream u { server 127.0.0.1:${port}; keepalive 64; }`;
  const location =
    'location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; }';
  return {
    name: 'proxy',
    title: 'proxy, 1 KiB',
    path: '/1k.txt',
    ours: { name: 'nettool', port: port + 1, command: ours(upstream, port + 1) },
    nginx: createNginx(folder, { name: 'proxy', port: port + 2, server: location, http: conf }),
    wanted: 0.6,
  };
}

async function phpCase(folder: string, site: string, port: number, behind: ChildProcess[]): Promise<Case> {
  const socket = join(folder, 'php.sock');
  const conf = join(folder, 'fpm.conf');
  writeFileSync(
    conf,
    `[global]\nerror_log=/dev/null\ndaemonize=no\n[www]\nuser=root\ngroup=root\nlisten=${socket}\nlisten.backlog=1024\npm=static\npm.max_children=8\n`,
  );
  behind.push(start([PHP_FPM, '-R', '-F', '-n', '-y', conf]));
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 50));
  const location = `root ${site}; location ~ \\.php$ { fastcgi_pass f; fastcgi_keep_conn on; include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }`;
  return {
    name: 'php',
    title: 'PHP by php-fpm',
    path: '/hello.php',
    ours: { name: 'nettool', port: port + 3, command: ours(site, port + 3, '--fastcgi', `/=unix:${socket}`) },
    nginx: createNginx(folder, {
      name: 'php',
      port: port + 4,
      server: location,
      http: `upstream f { server unix:${socket}; keepalive 8; }`,
    }),
    wanted: 0.7,
  };
}

function ours(target: string, port: number, ...flags: readonly string[]): string[] {
  const program = process.env.NETTOOL_BIN
    ? [process.env.NETTOOL_BIN]
    : [process.execPath, '--import', 'tsx', 'bin/nettool.ts'];
  return [...program, 'serve', target, String(port), '--log', 'none', '-q', ...flags];
}

function start(command: readonly string[]): ChildProcess {
  return spawn('taskset', ['-c', '1', ...command], { stdio: 'ignore' });
}

async function measureCase({ title, path, ours: own, nginx, wanted }: Case, rounds: number): Promise<void> {
  const samples = new Map<Peer, Sample[]>([
    [own, []],
    [nginx, []],
  ]);
  for (let round = 0; round < rounds; round += 1) {
    for (const peer of [own, nginx]) samples.get(peer)?.push(await measure(peer, path));
  }
  const of = (peer: Peer, pick: (sample: Sample) => number): number =>
    median((samples.get(peer) ?? []).map(pick));
  const cost = (peer: Peer): number => of(peer, (sample) => sample.cpuMicrosPerRequest);
  const ratio = cost(nginx) / cost(own);
  const rows = [own, nginx].map((peer, index) => [
    peer.name,
    `${Math.round(of(peer, (sample) => sample.requestsPerSecond))}/s`,
    `${cost(peer).toFixed(1)} µs`,
    index === 0 ? '' : `${ratio.toFixed(2)}×`,
    index === 0 ? '' : `wanted ${wanted}: ${ratio >= wanted ? 'yes' : 'NO'}`,
  ]);
  console.log(`\n${title}`);
  console.log(table([['', 'requests', 'CPU each', "nettool is, of nginx's speed", ''], ...rows]));
}

async function measure(peer: Peer, path: string): Promise<Sample> {
  const child = await startPeer(peer);
  const url = `http://127.0.0.1:${peer.port}${path}`;
  try {
    let warmedUp = 0;
    for (let round = 0; round < MAX_WARM_UP_ROUNDS && warmedUp < WARM_UP_REQUESTS; round += 1) {
      const { requestsPerSecond } = await load(child.pid as number, url, WARM_UP_SECONDS, LOAD);
      warmedUp += WARM_UP_SECONDS * requestsPerSecond;
    }
    return await load(child.pid as number, url, SECONDS, LOAD);
  } finally {
    await endPeer(child);
  }
}
