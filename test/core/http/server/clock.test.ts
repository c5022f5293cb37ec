import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Clock, type Timed } from '../../../../src/core/http/server/clock.js';

const TICK_MS = 100;

/** A clock, and a hand on the time it goes by: that of the system, and when its timer fires. */
function createClock(t: TestContext): { clock: Clock; pass(ms: number): void } {
  let nowMs = 5000;
  t.mock.timers.enable({ apis: ['setInterval'] });
  t.mock.method(performance, 'now', () => nowMs);
  return {
    clock: new Clock(TICK_MS),
    // In one go, as for a process that does not run meanwhile.
    pass(ms) {
      nowMs += ms;
      t.mock.timers.tick(TICK_MS);
    },
  };
}

function createTimed(deadline: number): Timed & { isOver: boolean } {
  return {
    deadline,
    isOver: false,
    onDeadline() {
      this.isOver = true;
    },
  };
}

test('who is the first after a quiet time has as much time as others', (t) => {
  const { clock, pass } = createClock(t);
  const early = createTimed(clock.after(1000));
  clock.watch(early);
  clock.unwatch(early);
  pass(TICK_MS);
  pass(3_600_000);
  const timed = createTimed(clock.after(1000));
  clock.watch(timed);
  assert.equal(timed.isOver, false);
  for (let ms = 0; ms <= 1100; ms += TICK_MS) pass(TICK_MS);
  assert.equal(timed.isOver, true);
});

test('the time in which the process was stopped is not held against anybody', (t) => {
  const { clock, pass } = createClock(t);
  const before = createTimed(clock.after(1000));
  clock.watch(before);
  pass(TICK_MS);
  pass(60_000);
  assert.equal(before.isOver, false);
  const after = createTimed(clock.after(1000));
  clock.watch(after);
  for (let ms = 0; ms < 900; ms += TICK_MS) pass(TICK_MS);
  assert.deepEqual([before.isOver, after.isOver], [true, false]);
  pass(2 * TICK_MS);
  assert.equal(after.isOver, true);
});

test('ticks that come late, as under load, do not make time-outs longer', (t) => {
  const { clock, pass } = createClock(t);
  const timed = createTimed(clock.after(1000));
  clock.watch(timed);
  pass(3 * TICK_MS);
  pass(9 * TICK_MS);
  assert.equal(timed.isOver, true);
});
