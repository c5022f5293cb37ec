import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Child, describeExit, startChild, stopChild } from '../../../src/core/platform/child.js';
import { createWorkerMaster } from '../../../src/core/workers/master.js';
import type {
  MasterOptions,
  WorkerEvent,
  WorkerMaster,
  WorkerProcess,
} from '../../../src/core/workers/types.js';
import { tempDir } from '../../helpers/temp-dir.js';

/** A worker that is a shell script: ready when it prints `ready`. */
class ScriptWorker implements WorkerProcess {
  readonly ready: Promise<void>;
  readonly exited: Promise<string>;
  readonly child: Child;
  /** Resolves `drain`; at once unless a test holds it. */
  drained: Promise<void> = Promise.resolve();

  constructor(script: string) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.child = startChild('/bin/sh', ['-c', script], { onLine: (line) => line === 'ready' && resolve() });
    this.exited = this.child.exited.then(describeExit);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  drain(): Promise<void> {
    return this.drained;
  }

  async stop(graceMs: number): Promise<void> {
    await stopChild(this.child, { graceMs });
  }
}

const SERVING = 'echo ready; exec sleep 60';

interface Setup {
  readonly master: WorkerMaster<ScriptWorker>;
  readonly events: WorkerEvent[];
  readonly live: Set<ScriptWorker>;
  /** Everything ever started. */
  readonly started: ScriptWorker[];
  find(fits: (event: WorkerEvent) => boolean): Promise<WorkerEvent>;
}

function setUp(
  t: TestContext,
  script: () => string,
  options: Partial<MasterOptions<ScriptWorker>> = {},
): Setup {
  const events: WorkerEvent[] = [];
  const live = new Set<ScriptWorker>();
  const started: ScriptWorker[] = [];
  const waiting = new Set<() => void>();
  const master = createWorkerMaster<ScriptWorker>({
    count: 2,
    bootTimeoutMs: 5000,
    graceMs: 500,
    backOff: { firstMs: 20, maxMs: 80 },
    start() {
      const worker = new ScriptWorker(script());
      started.push(worker);
      return worker;
    },
    onLive: (worker) => live.add(worker),
    onGone: (worker) => live.delete(worker),
    onEvent(event) {
      events.push(event);
      for (const look of waiting) look();
    },
    ...options,
  });
  t.after(() => master.stop());
  return {
    master,
    events,
    live,
    started,
    find(fits) {
      return new Promise((resolve) => {
        const look = (): void => {
          const found = events.find(fits);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
  };
}

test('a master counts its workers live only when they are ready', async (t) => {
  const { master, live, events } = setUp(t, () => SERVING, { count: 3 });
  await master.start();
  assert.equal(live.size, 3);
  assert.deepEqual(
    events.map(({ state }) => state),
    ['starting', 'starting', 'starting', 'ready', 'ready', 'ready'],
  );
  for (const event of events) assert.ok((event.pid ?? 0) > 1);
});

test('a start with one worker that fails ends the others and tells the reason', async (t) => {
  let number = 0;
  const { master, live, started } = setUp(t, () => (number++ === 1 ? 'exit 7' : SERVING));
  await assert.rejects(master.start(), { message: /ended before it was ready \(exit code 7\)/ });
  assert.equal(live.size, 0);
  await Promise.all(started.map((worker) => worker.exited));
});

test('a worker that is not ready in time fails the start', async (t) => {
  const { master } = setUp(t, () => 'exec sleep 60', { count: 1, bootTimeoutMs: 100 });
  await assert.rejects(master.start(), { code: 'TIMEOUT', message: /not ready within 0.1 s/ });
});

test('a worker that dies is replaced, and the reason told', async (t) => {
  const { master, live, find, started } = setUp(t, () => SERVING, { count: 1 });
  await master.start();
  const [first] = [...live];
  first?.child.signal('SIGKILL');
  assert.equal((await find(({ state }) => state === 'died')).reason, 'signal SIGKILL');
  await find(({ state, pid }) => state === 'ready' && pid !== first?.pid);
  assert.equal(live.size, 1);
  assert.equal(started.length, 2);
});

test('a worker that keeps dying is started ever more slowly, and the master says it is failing', async (t) => {
  const folder = tempDir(t);
  const flag = join(folder, 'broken');
  const script = (): string => `[ -e ${flag} ] && exit 3; ${SERVING}`;
  const { master, live, find, started } = setUp(t, script, { count: 1 });
  await master.start();
  writeFileSync(flag, '');
  for (const worker of live) worker.child.signal('SIGKILL');
  await find(({ state, reason }) => state === 'failed' && /exit code 3/.test(reason ?? ''));
  const before = performance.now();
  while (started.length < 6)
    await find(({ pid }) => pid === started.at(-1)?.pid).then(() => new Promise((r) => setTimeout(r, 10)));
  assert.ok(performance.now() - before > 100, 'there are pauses between the tries');
  assert.equal(master.failing, true);
});

test('a reload switches when the whole new generation is ready, and then ends the old one', async (t) => {
  const { master, live, events } = setUp(t, () => SERVING);
  await master.start();
  const old = new Set(live);
  await master.reload();
  assert.equal(live.size, 2);
  for (const worker of live) assert.ok(!old.has(worker));
  await Promise.all([...old].map((worker) => worker.exited));
  const retired = events.filter(({ state }) => state === 'retiring');
  assert.deepEqual(
    retired.map(({ generation, reason }) => [generation, reason]),
    [
      [1, 'newer code has taken over'],
      [1, 'newer code has taken over'],
    ],
  );
});

test('a reload whose generation does not come up leaves the old one serving and says why', async (t) => {
  let isBroken = false;
  const { master, live } = setUp(t, () => (isBroken ? 'exit 5' : SERVING));
  await master.start();
  const old = [...live];
  isBroken = true;
  await assert.rejects(master.reload(), { message: /exit code 5/ });
  assert.deepEqual([...live], old);
  isBroken = false;
  await master.reload();
  assert.equal(live.size, 2);
  assert.ok(!live.has(old[0] as ScriptWorker));
});

test('reloads asked for during a reload become one more', async (t) => {
  const { master, started } = setUp(t, () => SERVING, { count: 1 });
  await master.start();
  await Promise.all([master.reload(), master.reload(), master.reload(), master.reload()]);
  assert.equal(started.length, 3);
});

test('a worker is replaced after its requests, its successor ready before it goes', async (t) => {
  const { master, live, events, find } = setUp(t, () => SERVING, { count: 1, maxRequests: 100 });
  await master.start();
  const [first] = [...live] as [ScriptWorker];
  master.count(first, 89);
  assert.equal(events.length, 2, 'not before nine tenths');
  master.count(first, 11);
  assert.match((await find(({ state }) => state === 'retiring')).reason ?? '', /answered 100 requests/);
  const states = events.slice(2).map(({ state }) => state);
  assert.deepEqual(states.slice(0, 3), ['starting', 'ready', 'retiring']);
  assert.equal(live.size, 1);
  assert.ok(!live.has(first));
});

test('a worker may finish its work within the grace period, and no longer', async (t) => {
  const { master, live } = setUp(t, () => `trap '' TERM; ${SERVING.replace('exec ', '')}`, {
    count: 1,
    graceMs: 200,
  });
  await master.start();
  const [worker] = [...live] as [ScriptWorker];
  worker.drained = new Promise(() => {});
  const before = performance.now();
  await master.stop();
  const took = performance.now() - before;
  assert.ok(took >= 200 && took < 3000, `${took} ms`);
  assert.equal(await worker.exited, 'signal SIGKILL');
});

test('a stuck worker is discarded and replaced', async (t) => {
  const { master, live, find } = setUp(t, () => SERVING, { count: 1 });
  await master.start();
  const [first] = [...live] as [ScriptWorker];
  master.discard(first, 'it hangs', 0);
  assert.equal(live.size, 0);
  await first.exited;
  await find(({ state, pid }) => state === 'ready' && pid !== first.pid);
  assert.equal(live.size, 1);
});

test('stopping ends everything, also what is still starting', async (t) => {
  const { master, started, live } = setUp(t, () => SERVING);
  await master.start();
  const reloading = master.reload().catch(() => {});
  await master.stop();
  await reloading;
  await Promise.all(started.map((worker) => worker.exited));
  assert.equal(live.size, 0);
});

test('a master takes one worker more, and one fewer once it has drained, and keeps the last', async (t) => {
  const { master, live, events, find, started } = setUp(t, () => SERVING, { count: 1 });
  await master.start();
  await master.resize(1, 'more');
  assert.deepEqual([live.size, started.length], [2, 2]);
  const added = started[1] as ScriptWorker;
  assert.equal((await find(({ index }) => index === 1)).reason, 'more');
  const { promise, resolve } = Promise.withResolvers<void>();
  added.drained = promise;
  await master.resize(-1, 'fewer');
  assert.equal(live.has(added), false);
  assert.equal((await find(({ state }) => state === 'retiring')).reason, 'fewer');
  assert.equal(events.at(-1)?.state, 'retiring');
  resolve();
  await find(({ state, pid }) => state === 'stopped' && pid === added.pid);
  await master.resize(-1, 'fewer');
  assert.deepEqual([live.size, started.length], [1, 2]);
});

test('a number of workers that changes during a reload holds after it', async (t) => {
  const { master, live, events } = setUp(t, () => SERVING);
  await master.start();
  await Promise.all([master.reload(), master.resize(-1, 'fewer'), master.resize(-1, 'fewer')]);
  assert.equal(live.size, 1);
  await Promise.all([master.reload(), master.resize(1, 'more')]);
  assert.equal(live.size, 2);
  assert.equal(events.findLast(({ state }) => state === 'ready')?.generation, 3);
});

test('the successor of a worker that has left its place does not take it', async (t) => {
  const { master, live, find } = setUp(t, () => SERVING, { maxRequests: 1 });
  await master.start();
  const [, last] = [...live];
  master.count(last as ScriptWorker, 1);
  await master.resize(-1, 'fewer');
  await find(({ state, reason }) => state === 'retiring' && reason === 'its place is taken');
  assert.equal(live.size, 1);
});

test('a worker that serves alone stays, though others are to come', async (t) => {
  let isBroken = false;
  const { master, live, find } = setUp(t, () => (isBroken ? 'exit 3' : SERVING));
  await master.start();
  isBroken = true;
  const [first] = [...live];
  first?.child.signal('SIGKILL');
  await find(({ state }) => state === 'failed');
  await master.resize(-1, 'fewer');
  assert.equal(live.size, 1);
});
