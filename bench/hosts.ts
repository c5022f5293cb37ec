import { execFile, execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { createStyle } from '../src/commands/output/style.js';
import { viewInterfaces } from '../src/commands/views/ifconfig.js';
import { listInterfaces } from '../src/core/interfaces/index.js';
import { ping } from '../src/core/ping/index.js';
import { percentile } from '../src/core/ping/statistics.js';
import type { PingOptions } from '../src/core/ping/types.js';

/** One comparison: ours and theirs in the same unit, smaller is better. */
export interface HostsResult {
  readonly what: string;
  readonly unit: string;
  readonly ours: number;
  readonly theirs: number;
  readonly against: string;
}

const ROUNDS = 3;
const BINARY = process.env.NETTOOL_BIN;

/**
 * ping and ifconfig against iputils, fping, net-tools and iproute2, as medians of rounds that take turns.
 * Whole programs are timed when `$NETTOOL_BIN` names ours; else ours is timed inside this process, without its start.
 */
export async function benchHosts(): Promise<HostsResult[]> {
  const results: HostsResult[] = [];
  results.push(await compare('ping 127.0.0.1, median round trip', 'µs', 'iputils', ourMedian, iputilsMedian));
  results.push(
    await compare(
      'ping 127.0.0.1 as fast as it goes, 5000 probes',
      'ms',
      'iputils -f',
      ourFlood,
      iputilsFlood,
    ),
  );
  results.push(await compare('sweep of 1022 hosts, 10 probes each', 'ms', 'fping', ourSweep, fpingSweep));
  const ifconfig = BINARY ? () => timed(BINARY, ['ifconfig', '-a']) : ourInterfaces;
  results.push(await compare('ifconfig -a', 'ms', 'net-tools', ifconfig, () => timed('ifconfig', ['-a'])));
  results.push(await compare('ifconfig -a', 'ms', 'ip -s addr', ifconfig, () => timed('ip', ['-s', 'addr'])));
  return results;
}

type Measure = () => Promise<number>;

async function compare(
  what: string,
  unit: string,
  against: string,
  measureOurs: Measure,
  measureTheirs: Measure,
): Promise<HostsResult> {
  const ours: number[] = [];
  const theirs: number[] = [];
  // The first round only warms caches and compilers.
  for (let round = 0; round <= ROUNDS; round++) {
    const pair = [await measureOurs(), await measureTheirs()] as const;
    if (round === 0) continue;
    ours.push(pair[0]);
    theirs.push(pair[1]);
  }
  return { what, unit, against, ours: median(ours), theirs: median(theirs) };
}

function median(values: readonly number[]): number {
  return (
    percentile(
      values.map((value) => value * 1000).sort((a, b) => a - b),
      50,
    ) / 1000
  );
}

const BASE: PingOptions = {
  hosts: ['127.0.0.1'],
  probe: { kind: 'icmp' },
  intervalMs: 10,
  adaptive: false,
  preload: 1,
  sizeBytes: 56,
  broadcast: false,
  reportWaiting: false,
  reportSent: false,
  count: 200,
  signal: new AbortController().signal,
};

async function ourMedian(): Promise<number> {
  for await (const event of ping(BASE)) if (event.type === 'summary') return (event.p50Ms ?? 0) * 1000;
  return Number.NaN;
}

async function iputilsMedian(): Promise<number> {
  const output = await runProgram('ping', ['-n', '-c', '200', '-i', '0.01', '127.0.0.1']);
  return median([...output.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000));
}

/** From the first probe to the last, as both programs say it. */
async function ourFlood(): Promise<number> {
  for await (const event of ping({ ...BASE, intervalMs: 0, count: 5000 })) {
    if (event.type === 'summary') return event.durationMs;
  }
  return Number.NaN;
}

async function iputilsFlood(): Promise<number> {
  const output = await runProgram('ping', ['-q', '-f', '-c', '5000', '127.0.0.1']);
  return Number(/time (\d+)ms/.exec(output)?.[1]);
}

async function ourSweep(): Promise<number> {
  const args = ['ping', '-q', '-c', '10', '-i', '0', '127.0.0.0/22'];
  if (BINARY) return timed(BINARY, args);
  const startedMs = performance.now();
  let received = 0;
  for await (const event of ping({ ...BASE, hosts: ['127.0.0.0/22'], intervalMs: 0, count: 10 })) {
    if (event.type === 'summary') received += event.received;
  }
  if (received !== 10_220) throw new Error(`lost ${10_220 - received} replies`);
  return performance.now() - startedMs;
}

const fpingSweep: Measure = () =>
  timed('fping', ['-q', '-c', '10', '-i', '0', '-p', '1', '-g', '127.0.0.0/22']);

async function ourInterfaces(): Promise<number> {
  const startedMs = performance.now();
  viewInterfaces(await listInterfaces(), createStyle({ isTTY: false, color: 'never', env: {} }));
  return performance.now() - startedMs;
}

async function timed(program: string, args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  await runProgram(program, args);
  return performance.now() - startedMs;
}

/** Exit codes are not looked at: fping's says that some host did not answer. */
function runProgram(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { maxBuffer: 2 ** 26 }, (error, stdout) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve(stdout);
    });
  });
}

function print(results: readonly HostsResult[]): void {
  const kernel = execFileSync('uname', ['-sr'], { encoding: 'utf8' }).trim();
  console.log(`${kernel}, Node ${process.version}, ${BINARY ?? 'sources, start of Node not counted'}`);
  for (const { what, unit, ours, theirs, against } of results) {
    const ratio = (ours / theirs).toFixed(2);
    console.log(
      `${what}: ${ours.toFixed(1)} ${unit}, ${against} ${theirs.toFixed(1)} ${unit} (ratio ${ratio})`,
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  benchHosts().then(print);
}
