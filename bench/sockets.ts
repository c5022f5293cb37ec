/**
 * The socket commands against nc.openbsd, ncat, socat and iperf3, all over loopback in the same run. Rounds are
 * interleaved and the middle one counts, since the machine is never quite ours.
 *
 * `node --import tsx bench/sockets.ts`; NETTOOL_BIN names the binary, else dist/nettool, else a bundle made here.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { isInstalled, median, table } from './harness.js';

const execute = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..');
const ROUNDS = 3;
const TRANSFER_BYTES = 3 * 2 ** 30;
const IDLE_CONNECTIONS = 10_000;

interface Tool {
  readonly name: string;
  /** The shell line for a port. */
  readonly line: (port: number) => string;
}

/** Prints every figure with the ratio to the best of the others. */
export async function run(): Promise<void> {
  const [load = 0] = loadavg();
  process.stdout.write(`${availableParallelism()} cores, load ${load.toFixed(1)} at the start\n`);
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nettool-bench-'));
  try {
    const nettool = await findNettool(folder);
    await compare('socket to stdout pipe, GB/s', toPipe(nettool), (tool) => measureToPipe(tool));
    const file = makeFile(folder);
    await compare('file to socket, GB/s', fromFile(nettool, file), (tool) => measureFromFile(tool));
    for (const connections of [1, 50]) {
      const title = `echo round trips per second, ${connections} connection${connections === 1 ? '' : 's'}`;
      await compare(title, echoServers(nettool), (tool) => measureEcho(tool, connections));
    }
    await compare('throughput of one connection, GB/s', throughput(nettool), ({ line }) =>
      measureThroughput(line(0)),
    );
    await measureIdle(nettool);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function findNettool(folder: string): Promise<string> {
  const built = process.env.NETTOOL_BIN ?? join(ROOT, 'dist/nettool');
  if (existsSync(built)) return built;
  const { build } = await import('esbuild');
  const outfile = join(folder, 'nettool.cjs');
  const options = { bundle: true, platform: 'node', format: 'cjs', target: 'node26', minify: true } as const;
  await build({ ...options, entryPoints: [join(ROOT, 'bin/nettool.ts')], outfile });
  return `${process.execPath} ${outfile}`;
}

function installed(tools: ReadonlyArray<Tool & { needs?: string }>): Tool[] {
  return tools.filter(({ needs }) => needs === undefined || isInstalled(needs));
}

const toPipe = (nettool: string): Tool[] =>
  installed([
    { name: 'nettool', line: (port) => `${nettool} tcp-client 127.0.0.1 ${port} --send ''` },
    { name: 'nc.openbsd', needs: 'nc.openbsd', line: (port) => `nc.openbsd -d 127.0.0.1 ${port}` },
    { name: 'ncat', needs: 'ncat', line: (port) => `ncat --recv-only 127.0.0.1 ${port}` },
    { name: 'socat -b 256k', needs: 'socat', line: (port) => `socat -u -b 262144 TCP:127.0.0.1:${port} -` },
  ]);

const fromFile = (nettool: string, file: string): Tool[] =>
  installed([
    { name: 'nettool', line: (port) => `${nettool} tcp-client 127.0.0.1 ${port} < ${file}` },
    { name: 'nc.openbsd', needs: 'nc.openbsd', line: (port) => `nc.openbsd -N 127.0.0.1 ${port} < ${file}` },
    { name: 'ncat', needs: 'ncat', line: (port) => `ncat 127.0.0.1 ${port} < ${file}` },
    {
      name: 'socat -b 256k',
      needs: 'socat',
      line: (port) => `socat -b 262144 -t 10 - TCP:127.0.0.1:${port} < ${file}`,
    },
  ]);

const echoServers = (nettool: string): Tool[] =>
  installed([
    { name: 'nettool', line: (port) => `${nettool} tcp-server ${port} --echo -q` },
    { name: 'ncat -e cat', needs: 'ncat', line: (port) => `ncat -l -k -e /bin/cat 127.0.0.1 ${port}` },
    { name: 'socat fork', needs: 'socat', line: (port) => `socat TCP-LISTEN:${port},fork,reuseaddr PIPE` },
  ]);

const throughput = (nettool: string): Tool[] =>
  installed([
    {
      name: 'nettool',
      line: () =>
        `${nettool} tcp-server 17717 --sink -q & p=$!; ${nettool} tcp-client 127.0.0.1 17717 --wait 5s --throughput 3s --json; kill $p`,
    },
    {
      name: 'iperf3',
      needs: 'iperf3',
      line: () => 'iperf3 -s -1 -p 17718 >/dev/null & sleep 0.3; iperf3 -c 127.0.0.1 -p 17718 -t 3 --json',
    },
  ]);

/** Measures each tool in turns, and says how the first does against the best of the others. */
async function compare(
  title: string,
  tools: readonly Tool[],
  measure: (tool: Tool) => Promise<number>,
): Promise<void> {
  const figures = tools.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, tool] of tools.entries()) figures[index]?.push(await measure(tool));
  }
  const middles = figures.map(median);
  const best = Math.max(...middles.slice(1));
  const show = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
  const rows = tools.map(({ name }, index) => [name, show(middles[index] ?? Number.NaN)]);
  const ratio =
    tools.length > 1 ? `${((middles[0] ?? 0) / best).toFixed(2)} times the best of the others` : '';
  process.stdout.write(`\n${title}\n${table(rows)}\n${ratio}\n`);
}

/** A server whose one connection is handled and timed, from its start (a program's own start is not counted) to its end. */
async function timeTransfer(
  line: (port: number) => string,
  onSocket: (socket: Socket) => void,
): Promise<number> {
  let startedAt = 0;
  const server = createServer({ allowHalfOpen: true, highWaterMark: 2 ** 20 }, (socket) => {
    startedAt = performance.now();
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await execute('/bin/bash', ['-c', line(port)]);
  server.close();
  return TRANSFER_BYTES / (performance.now() - startedAt) / 1e6;
}

function measureToPipe(tool: Tool): Promise<number> {
  const block = Buffer.alloc(2 ** 20, 'x');
  return timeTransfer(
    (port) => `${tool.line(port)} | cat > /dev/null`,
    (socket) => {
      let left = TRANSFER_BYTES;
      const write = (): void => {
        while (left > 0) {
          left -= block.length;
          if (!socket.write(block)) return void socket.once('drain', write);
        }
        socket.end();
      };
      socket.on('error', () => {}).resume();
      write();
    },
  );
}

function measureFromFile(tool: Tool): Promise<number> {
  return timeTransfer(
    (port) => `${tool.line(port)} > /dev/null`,
    (socket) => void socket.on('end', () => socket.end()).resume(),
  );
}

function makeFile(folder: string): string {
  const path = join(folder, 'file');
  const block = Buffer.alloc(2 ** 20, 'x');
  const fd = openSync(path, 'w');
  for (let left = TRANSFER_BYTES; left > 0; left -= block.length) writeSync(fd, block);
  closeSync(fd);
  return path;
}

async function startServer(tool: Tool): Promise<{ child: ChildProcess; port: number; stop(): void }> {
  const port = await new Promise<number>((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = probe.address() as AddressInfo;
      probe.close(() => done(free));
    });
  });
  const child = spawn('/bin/bash', ['-c', `exec ${tool.line(port)}`], { stdio: 'ignore', detached: true });
  while (!(await accepts(port))) await new Promise((done) => setTimeout(done, 50));
  return { child, port, stop: () => void process.kill(-(child.pid ?? 0), 'SIGKILL') };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => done(true) ?? socket.destroy()).on('error', () => done(false));
  });
}

async function measureEcho(tool: Tool, connections: number): Promise<number> {
  const server = await startServer(tool);
  const message = Buffer.alloc(64, 'x');
  const SECONDS = 1.5;
  let trips = 0;
  const endsAt = performance.now() + SECONDS * 1000;
  await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<void>((done) => {
          const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
          socket.on('error', () => {}).on('close', () => done());
          socket.on('connect', () => socket.write(message));
          socket.on('data', () => {
            trips += 1;
            if (performance.now() < endsAt) socket.write(message);
            else socket.destroy();
          });
        }),
    ),
  );
  server.stop();
  return trips / SECONDS;
}

async function measureThroughput(line: string): Promise<number> {
  const { stdout } = await execute('/bin/bash', ['-c', line], { maxBuffer: 2 ** 26 });
  const ours = /"type":"throughput".*"bytesOutPerSecond":(\d+)/.exec(stdout)?.[1];
  if (ours !== undefined) return Number(ours) / 1e9;
  return JSON.parse(stdout).end.sum_received.bits_per_second / 8e9;
}

async function measureIdle(nettool: string): Promise<void> {
  const limit = Number(execFileSync('/bin/sh', ['-c', 'ulimit -n']).toString());
  const count = Math.min(IDLE_CONNECTIONS, limit - 500);
  const server = await startServer({
    name: 'nettool',
    line: (port) => `${nettool} tcp-server ${port} --echo -q`,
  });
  const sockets: Socket[] = [];
  const open = (): Promise<void> =>
    new Promise((done, fail) => {
      const socket = connect({ port: server.port, host: '127.0.0.1' });
      sockets.push(socket);
      socket.on('error', fail).once('data', () => done());
      socket.on('connect', () => socket.write('x'));
    });
  for (let opened = 0; opened < count; opened += 250) await Promise.all(Array.from({ length: 250 }, open));
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))?.[1];
  process.stdout.write(
    `\n${count} idle connections to --echo, each answered once\nRSS  ${(Number(resident) / 1024).toFixed(0)} MiB\n`,
  );
  for (const socket of sockets) socket.destroy();
  server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await run();
