import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Parent } from '../../../src/core/platform/parent.js';
import { WorkerSeat } from '../../../src/core/workers/seat.js';

/** A master that answers whoever asks for figures, or says nothing. */
function createParent(answers: boolean) {
  const left = Promise.withResolvers<void>();
  let tell: (message: unknown) => void = () => {};
  const parent: Parent = {
    gone: left.promise,
    listen(listener) {
      tell = (message) => listener(message, undefined);
    },
    send(message) {
      if (answers) queueMicrotask(() => tell({ ...message, type: 'answer', figures: 7 }));
    },
    leave() {},
  };
  return { parent, gone: left.resolve };
}

const ASSIGNMENT = { index: 0, generation: 1, settings: undefined };

test('asking for figures again and again leaves nothing behind', async (t) => {
  const { parent } = createParent(true);
  const listening = t.mock.method(parent.gone, 'then');
  const seat = new WorkerSeat(parent, ASSIGNMENT);
  for (let count = 0; count < 100; count += 1) assert.equal(await seat.collect(), 7);
  assert.equal(listening.mock.callCount(), 1);
});

test('who asks a master that goes, or is gone, is told so', async () => {
  const { parent, gone } = createParent(false);
  const seat = new WorkerSeat(parent, ASSIGNMENT);
  const waiting = seat.collect();
  gone();
  assert.equal(await waiting, undefined);
  assert.equal(await seat.collect(), undefined);
});
