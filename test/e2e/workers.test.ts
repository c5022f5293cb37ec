import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startLoad } from '../helpers/load.js';
import { exchange } from '../helpers/raw-http.js';
import { type Json, parseLines } from '../helpers/run.js';
import { type SpawnedCommand, spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

const REQUEST = 'GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n';

interface Served {
  readonly command: SpawnedCommand;
  readonly port: number;
  readonly url: string;
  /** Every event so far. */
  events(): Json[];
  /** The first event that fits; waits for it. */
  event(fits: (event: Json) => boolean): Promise<Json>;
  signal(name: NodeJS.Signals): void;
}

async function serve(t: TestContext, ...flags: string[]): Promise<Served> {
  const folder = tempDir(t, { 'hello.txt': 'hello', 'large.bin': Buffer.alloc(32 * 1024 * 1024, 'large') });
  const command = spawnNettool(t, ['serve', folder, '0', '--workers', '2', '--json', ...flags]);
  let output = '';
  command.child.stdout.on('data', (text: string) => {
    output += text;
  });
  const events = (): Json[] => parseLines(output.slice(0, output.lastIndexOf('\n') + 1));
  const event: Served['event'] = async (fits) => {
    for (;;) {
      const found = events().find(fits);
      if (found !== undefined) return found;
      await Promise.race([
        once(command.child.stdout, 'data'),
        command.done.then(({ stderr }) => Promise.reject(new Error(`it has ended: ${stderr}`))),
      ]);
    }
  };
  const { port, url } = await event(({ type }) => type === 'listening');
  const signal = (name: NodeJS.Signals): void => void command.child.kill(name);
  return { command, port, url, events, event, signal };
}

const pidsOf = (events: Json[], generation = 1): number[] => [
  ...new Set(
    events
      .filter(
        (event) => event.type === 'worker' && event.state === 'ready' && event.generation === generation,
      )
      .map(({ pid }) => pid as number),
  ),
];

function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** A connection that has had one answer and stays. */
async function openKept(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(REQUEST);
  await once(socket, 'data');
  return socket;
}

const askOn = async (socket: Socket): Promise<string> => {
  socket.write(REQUEST);
  const [data] = await once(socket, 'data');
  return String(data).slice(0, 15);
};

test('connections are dealt out evenly, a crash costs only its own, and all is told once', async (t) => {
  const { command, port, url, events, event, signal } = await serve(t);
  const pids = pidsOf(events());
  assert.equal(pids.length, 2);
  const sockets: Socket[] = [];
  for (let index = 0; index < 16; index += 1) sockets.push(await openKept(port));

  const load = startLoad(url, { fresh: 2, kept: 0 });
  process.kill(pids[0] as number, 'SIGKILL');
  const died = await event(({ state }) => state === 'died');
  assert.deepEqual([died.pid, died.reason], [pids[0], 'signal SIGKILL']);
  await event(({ state, pid }) => state === 'ready' && !pids.includes(pid));
  await load.stop();
  // Those it had in hand, at most one for each loop.
  assert.ok(load.failures.length <= 2, load.failures.join('\n'));
  assert.ok(load.answered > 10);

  const alive = sockets.filter((socket) => !socket.readableEnded && !socket.closed);
  const ratio = alive.length / (sockets.length - alive.length);
  assert.ok(ratio >= 0.6 && ratio <= 1.67, `${alive.length} of ${sockets.length} were the other worker's`);
  for (const socket of alive) assert.equal(await askOn(socket), 'HTTP/1.1 200 OK');

  signal('SIGTERM');
  const { code, stderr } = await command.done;
  assert.deepEqual([code, stderr], [0, '']);
  const types = events().map(({ type }) => type);
  for (const type of ['listening', 'closed'])
    assert.equal(types.filter((name) => name === type).length, 1, type);
  assert.ok(events().at(-1).requests >= load.answered / 2);
  assert.ok(types.filter((name) => name === 'request').length >= load.answered + alive.length);
});

test('SIGHUP replaces every worker under constant load, and no request is dropped', async (t) => {
  const { url, events, event, signal } = await serve(t);
  const old = pidsOf(events());
  const load = startLoad(url, { fresh: 3, kept: 3 });
  for (const generation of [2, 3]) {
    const before = load.answered;
    signal('SIGHUP');
    const isSuccessor = (found: Json): boolean => found.generation === generation && found.state === 'ready';
    await event(isSuccessor);
    await event((found) => isSuccessor(found) && found.index === 1);
    while (load.answered < before + 100) await delay(20);
  }
  for (const pid of old) await event((found) => found.pid === pid && found.state === 'stopped');
  await load.stop();
  assert.deepEqual(load.failures, []);
  for (const pid of old) assert.ok(!isRunning(pid));
});

test('SIGTERM lets running answers finish, and an idle connection does not hold it up', async (t) => {
  const { command, port, signal } = await serve(t);
  const idle = await openKept(port);
  const download = connect(port, '127.0.0.1');
  download.write('GET /large.bin HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
  await once(download, 'readable');
  signal('SIGTERM');
  idle.resume();
  await once(idle, 'end');
  let received = 0;
  for await (const chunk of download) received += (chunk as Buffer).length;
  assert.ok(received > 32 * 1024 * 1024, `${received} bytes`);
  assert.equal((await command.done).code, 0);
});

test('workers leave when their master is killed', async (t) => {
  const { command, port, events, signal } = await serve(t);
  const pids = pidsOf(events());
  const idle = await openKept(port);
  signal('SIGKILL');
  idle.resume();
  await once(idle, 'end');
  await command.done;
  const deadline = performance.now() + 5000;
  while (pids.some(isRunning) && performance.now() < deadline) await delay(20);
  assert.deepEqual(pids.filter(isRunning), []);
});

test('a worker that cannot start ends the start with its reason, told once', async (t) => {
  const missing = `${tempDir(t)}/missing`;
  const { code, stdout, stderr } = await spawnNettool(t, ['serve', missing, '0', '--workers', '2', '--json'])
    .done;
  assert.equal(code, 26);
  assert.match(stderr, /^(worker .*\n)*nettool serve: .*missing.*no such file or directory\)\n$/);
  const errors = parseLines(stdout).filter(({ type }) => type === 'error');
  assert.deepEqual(
    errors.map(({ code: word }) => word),
    ['INPUT_FAILED'],
  );
});

test('SIGUSR1 asks for new log files and never for a debugger', async (t) => {
  const { command, port, events, signal } = await serve(t);
  signal('SIGUSR1');
  for (const pid of pidsOf(events())) process.kill(pid, 'SIGUSR1');
  const answers = await Promise.all(
    [1, 2, 3].map(() => exchange(port, REQUEST.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))),
  );
  for (const answer of answers) assert.match(String(answer), /^HTTP\/1\.1 200 OK/);
  signal('SIGTERM');
  assert.deepEqual(await command.done.then(({ code, stderr }) => [code, stderr]), [0, '']);
});
