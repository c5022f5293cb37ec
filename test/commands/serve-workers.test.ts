import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { createContext, createRun, type Io } from '../../src/commands/context.js';
import { serveWithWorkers, type WorkersPlan } from '../../src/commands/serve-workers.js';
import { NettoolError } from '../../src/core/errors.js';
import type { MetricsSnapshot } from '../../src/core/http/metrics.js';
import { tempDir } from '../helpers/temp-dir.js';

const PROGRAM = join(import.meta.dirname, '../helpers/worker-program.ts');
const SELF = [process.execPath, '--import', import.meta.resolve('tsx'), PROGRAM] as const;

type AnyEvent = Parameters<WorkersPlan['onEvent']>[0];

interface Running {
  readonly events: AnyEvent[];
  readonly signals: EventEmitter;
  readonly stdout: PassThrough;
  event(fits: (event: AnyEvent) => boolean): Promise<AnyEvent>;
  ask(target: string): Promise<string>;
  stop(): Promise<number>;
}

/** A master in this process with two workers on a Unix socket. */
async function start(
  t: TestContext,
  plan: Partial<WorkersPlan> = {},
  io: Partial<Io> = {},
): Promise<Running> {
  const stopper = new AbortController();
  const signals = new EventEmitter();
  const told = new EventEmitter();
  const events: AnyEvent[] = [];
  const stdout = new PassThrough();
  const path = join(tempDir(t), 'socket');
  const whole: Io = {
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough().resume(),
    env: process.env,
    cwd: process.cwd(),
    signal: stopper.signal,
    self: [...SELF],
    onSignal(name, listener) {
      signals.on(name, listener);
      return () => void signals.off(name, listener);
    },
    ...io,
  };
  const done = serveWithWorkers(createContext(createRun(whole, [], {}), {}), {
    count: 2,
    front: { host: '', port: 0, listen: [{ path }] },
    onEvent(event) {
      events.push(event);
      told.emit('event');
    },
    ...plan,
  });
  const stop = (): Promise<number> => {
    stopper.abort(new NettoolError('TERMINATED', 'terminated'));
    return done;
  };
  t.after(() => stop().catch(() => {}));
  const event: Running['event'] = async (fits) => {
    for (;;) {
      const found = events.find(fits);
      if (found !== undefined) return found;
      await Promise.race([once(told, 'event'), done]);
    }
  };
  const ask = async (target: string): Promise<string> => {
    const request = httpRequest({ socketPath: path, path: target, agent: false }).end();
    const [response] = await once(request, 'response');
    return text(response);
  };
  await event(({ type }) => type === 'listening');
  return { events, signals, stdout, event, ask, stop };
}

test('workers take connections of a Unix socket by turns, and know what the master has decided', async (t) => {
  const { ask, events, stop } = await start(t, { settings: { log: 'dev' } });
  const pids = new Set([await ask('/'), await ask('/'), await ask('/'), await ask('/')]);
  assert.equal(pids.size, 2);
  assert.deepEqual(JSON.parse(await ask('/settings')), { log: 'dev' });
  assert.equal(await stop(), 0);
  const last = events.at(-1);
  assert.ok(last?.type === 'closed' && last.requests === 5);
});

test('any worker can tell the figures of all, and those of a worker that is gone stay', async (t) => {
  const { ask, signals, event } = await start(t);
  for (let index = 0; index < 6; index += 1) await ask('/');
  const first = JSON.parse(await ask('/figures')) as MetricsSnapshot;
  assert.deepEqual([first.requests['GET 200'], first.processes], [6, 3]);

  signals.emit('SIGHUP');
  const stopped = (index: number) => (event: AnyEvent) =>
    event.type === 'worker' && event.state === 'stopped' && event.index === index;
  await event(stopped(0));
  await event(stopped(1));
  await ask('/');
  const second = JSON.parse(await ask('/figures')) as MetricsSnapshot;
  assert.deepEqual([second.requests['GET 200'], second.processes], [8, 3]);
  assert.equal(second.process.startTimeSeconds, first.process.startTimeSeconds);
});

test('SIGTTIN brings a worker more, SIGTTOU one fewer, and the metrics count both', async (t) => {
  const { ask, event, signals } = await start(t);
  const changed = (state: string, reason: string) => (found: AnyEvent) =>
    found.type === 'worker' && found.state === state && found.reason === reason;
  const ready = (found: AnyEvent) => found.type === 'worker' && found.state === 'ready' && found.index === 2;
  signals.emit('SIGTTIN');
  await event(changed('starting', 'SIGTTIN'));
  await event(ready);
  signals.emit('SIGTTOU');
  await event(changed('retiring', 'SIGTTOU'));
  const { site } = JSON.parse(await ask('/figures')) as MetricsSnapshot;
  assert.deepEqual(site?.nettool_worker_changes_total, {
    '{state="starting"}': 3,
    '{state="ready"}': 3,
    '{state="retiring"}': 1,
  });
});

test('a request that kills its worker is lost alone', async (t) => {
  const { ask, event } = await start(t);
  await assert.rejects(ask('/crash'));
  await event((found) => found.type === 'worker' && found.state === 'died');
  for (let index = 0; index < 4; index += 1) assert.match(await ask('/'), /^worker/);
});

test('SIGUSR1 reaches every worker, and what workers print is passed on line by line', async (t) => {
  const { signals, stdout } = await start(t);
  signals.emit('SIGUSR1');
  let output = '';
  while (output.split('reopened\n').length < 3) output += String((await once(stdout, 'data'))[0]);
  assert.equal(new Set(output.trim().split('\n')).size, 2);
});

test('a place that cannot be listened at fails before any worker is started', async (t) => {
  await assert.rejects(
    start(t, { front: { host: '', port: 0, listen: [{ path: '/nonexistent/socket' }] } }),
    NettoolError,
  );
});

test('a program that does not know its own path says so', async (t) => {
  const io = { self: undefined } as unknown as Partial<Io>;
  await assert.rejects(start(t, {}, io), { code: 'UNSUPPORTED' });
});
