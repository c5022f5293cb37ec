import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isInstalled, median, table } from './harness.js';

const BINARY = process.env.NETTOOL_BIN ?? resolve(import.meta.dirname, '../dist/nettool');

const LARGE_MIB = 1024;

/** One way to do a case: a command line, and what it is called. */
interface Contender {
  readonly name: string;
  readonly command: readonly string[];
}

interface Case {
  readonly what: string;
  /** The first one is ours, the others what it is measured against. */
  readonly contenders: readonly Contender[];
  /** How often more than the rounds asked for: what is quick is noisy. */
  readonly times: number;
}

interface Sample {
  readonly ms: number;
  readonly rssMib: number;
}

/** `npm run bench -- client [rounds]`: the binary against curl and HTTPie, in turns, medians and ratios. */
export async function bench(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nettool-bench-'));
  const sink = await startSink();
  const nginx = await startNginx(folder);
  try {
    const rows = [['case', 'program', 'median ms', 'min ms', 'RSS MiB', 'ours / theirs']];
    for (const one of toCases(
      nginx.url,
      `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`,
      folder,
    )) {
      rows.push(...(await measure(one, rounds)));
    }
    process.stdout.write(`${table(rows)}\n`);
  } finally {
    nginx.stop();
    sink.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function toCases(url: string, sink: string, folder: string): Case[] {
  const [large, small] = [`${url}/large`, `${url}/small`];
  const urls = Array.from({ length: 200 }, () => small);
  const file = join(folder, 'out');
  const nettool = (...args: string[]): Contender => ({ name: 'nettool', command: [BINARY, ...args] });
  const curl = (...args: string[]): Contender => ({ name: 'curl', command: ['curl', '-s', ...args] });
  const httpie = (...args: string[]): Contender[] =>
    isInstalled('http') ? [{ name: 'HTTPie', command: ['http', '--ignore-stdin', ...args] }] : [];
  return [
    {
      what: 'get of 3 bytes (start-up)',
      times: 5,
      contenders: [
        nettool('get', small),
        { name: 'node -e 0', command: [process.execPath, '-e', '0'] },
        curl(small),
        ...httpie('GET', small),
      ],
    },
    {
      what: '1 GiB to /dev/null',
      times: 1,
      contenders: [nettool('get', large, '-o', '/dev/null'), curl('-o', '/dev/null', large)],
    },
    {
      what: '1 GiB to a file',
      times: 1,
      contenders: [nettool('get', large, '-o', file), curl('-o', file, large)],
    },
    {
      what: '1 GiB to a file, 4 ranges',
      times: 1,
      contenders: [nettool('get', large, '-o', file, '--parallel', '4'), curl('-o', file, large)],
    },
    {
      what: '200 small URLs',
      times: 1,
      contenders: [
        nettool('get', small, ...urls.slice(1).flatMap((one) => ['--url', one]), '--parallel', '10', '-q'),
        curl('-Z', '--parallel-max', '10', ...urls),
      ],
    },
    {
      what: '1 GiB as a form',
      times: 1,
      contenders: [
        nettool('post', sink, `f@${join(folder, 'html/large')}`),
        curl('-F', `f=@${join(folder, 'html/large')}`, sink),
      ],
    },
  ];
}

async function measure({ what, contenders, times }: Case, rounds: number): Promise<string[][]> {
  const samples = contenders.map((): Sample[] => []);
  for (let round = 0; round <= rounds * times; round += 1) {
    for (const [index, { command }] of contenders.entries()) {
      const sample = await time(command);
      // The first round only warms caches.
      if (round > 0) samples[index]?.push(sample);
    }
  }
  const middle = (list: readonly Sample[] | undefined): number => median((list ?? []).map(({ ms }) => ms));
  const ours = middle(samples[0]);
  return contenders.map(({ name }, index) => {
    const list = samples[index] ?? [];
    const ms = middle(list);
    return [
      index === 0 ? what : '',
      name,
      ms.toFixed(1),
      Math.min(...list.map((sample) => sample.ms)).toFixed(1),
      Math.max(...list.map((sample) => sample.rssMib)).toFixed(0),
      index === 0 ? '' : (ours / ms).toFixed(2),
    ];
  });
}

/** Runs a command to its end; GNU time tells the most memory it had. */
async function time(command: readonly string[]): Promise<Sample> {
  const hasTime = isInstalled('/usr/bin/time');
  const [program = '', ...args] = hasTime ? ['/usr/bin/time', '-f', 'rss %M', ...command] : command;
  const startedAt = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const code = await new Promise((done) => child.on('close', done));
  const ms = performance.now() - startedAt;
  if (code !== 0) throw new Error(`${command.slice(0, 4).join(' ')} ended with ${code}: ${said}`);
  return { ms, rssMib: Number(/rss (\d+)/.exec(said)?.[1] ?? Number.NaN) / 1024 };
}

/** Takes whatever is sent. */
async function startSink(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  return server;
}

/** nginx with a large and a small file, on a port that is free. */
async function startNginx(folder: string) {
  mkdirSync(join(folder, 'html'));
  for (const name of ['b', 'p', 'f', 'u', 's']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'html/small'), 'ok\n');
  const block = randomBytes(2 ** 20);
  const fd = openSync(join(folder, 'html/large'), 'w');
  for (let index = 0; index < LARGE_MIB; index += 1) writeSync(fd, block);
  closeSync(fd);
  execFileSync('chmod', ['755', folder]);
  const port = 20_000 + (process.pid % 10_000);
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log ${folder}/log; worker_processes 1;
events { worker_connections 512; }
http { access_log off; sendfile on; root ${folder}/html; keepalive_requests 10000;
client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
server { listen 127.0.0.1:${port}; } }\n`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'log')], {
    stdio: 'ignore',
  });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error('nginx did not start');
    await new Promise((done) => setTimeout(done, 50));
  }
  return { url: `http://127.0.0.1:${port}`, stop: () => child.kill('SIGTERM') };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}
