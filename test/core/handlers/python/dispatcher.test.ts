import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dispatcher } from '../../../../src/core/handlers/python/dispatcher.js';
import type { Exchange } from '../../../../src/core/handlers/python/lane.js';

test('the time in which the process was stopped is no time that a request has waited', (t) => {
  let nowMs = 5000;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => nowMs);
  const pass = (ms: number): void => {
    nowMs += ms;
    t.mock.timers.tick(ms);
  };
  const waited: number[] = [];
  const exchange: Exchange = {
    opening: { kind: 1, id: 0 },
    lane: undefined,
    askedAt: nowMs,
    sentAt: 0,
    isOver: false,
    onFrame: () => false,
    onLost() {},
    watch(now) {
      waited.push(now - this.askedAt);
    },
  };
  new Dispatcher(() => {}).submit(exchange);
  for (const ms of [100, 100, 60_000, 100, 400]) pass(ms);
  assert.deepEqual(waited.slice(0, 4), [100, 200, 300, 400]);
  // A look that is only somewhat late, as under load, is no standstill.
  assert.equal(waited.at(-1), 800);
});
