import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { createWorkerMaster } from '../../../src/core/workers/master.js';
import { NodeWorker, type NodeWorkerRecipe } from '../../../src/core/workers/node-worker.js';

const recipe = (more: Partial<NodeWorkerRecipe> = {}): NodeWorkerRecipe => ({
  command: process.execPath,
  args: [
    '--import',
    import.meta.resolve('tsx'),
    resolve(import.meta.dirname, '../../fixtures/apps/node-worker.ts'),
  ],
  env: process.env,
  onLine: () => {},
  ...more,
});

test('a Node process is a worker: ready, spoken to, counted, replaced, drained, ended', async (t) => {
  const heard = Promise.withResolvers<unknown>();
  let served = 0;
  const onServed = (count: number): void => {
    served += count;
  };
  const live: NodeWorker[] = [];
  const states: string[] = [];
  const master = createWorkerMaster<NodeWorker>({
    count: 1,
    bootTimeoutMs: 10_000,
    graceMs: 2000,
    start: () => new NodeWorker(recipe({ onServed, onMessage: heard.resolve })),
    onLive: (worker) => live.push(worker),
    onGone: () => {},
    onEvent: ({ state }) => states.push(state),
  });
  t.after(() => master.stop());
  await master.start();
  live[0]?.send('hello');
  assert.deepEqual(await heard.promise, { echo: 'hello' });
  assert.equal(served, 1);
  await master.reload();
  assert.equal(live.length, 2);
  assert.equal(await live[0]?.exited, 'signal SIGTERM');
  await master.stop();
  assert.equal(states.filter((state) => state === 'stopped').length, 2);
});

test('a Node worker that says why it cannot start fails the start with that', async () => {
  const worker = new NodeWorker(recipe({ env: { ...process.env, FAIL: 'yes' } }));
  await assert.rejects(worker.ready, { message: 'the port is taken' });
  await worker.stop(0);
});
