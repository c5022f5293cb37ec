import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStatistics, percentile } from '../../../src/core/ping/statistics.js';

/** Statistics of probes sent every second, answered in order after these milliseconds. */
function answered(times: ReadonlyArray<number | undefined>) {
  const statistics = createStatistics();
  times.forEach((time, index) => {
    statistics.sent(index * 1000);
    if (time !== undefined) statistics.reply(index + 1, time);
  });
  return statistics;
}

test('minimum, mean, maximum and mdev are those of iputils, in whole microseconds', () => {
  // ping -c 3: 0.014, 0.020, 0.033 → rtt min/avg/max/mdev = 0.014/0.022/0.033/0.007 ms
  const { minMs, avgMs, maxMs, mdevMs } = answered([0.014, 0.02, 0.033]).summary();
  assert.deepEqual([minMs, avgMs, maxMs, mdevMs], [0.014, 0.022, 0.033, 0.007]);
});

test('mdev is the population deviation also where iputils changes its formula', () => {
  const { mdevMs, avgMs } = answered([2_000_000, 4_000_000]).summary();
  assert.deepEqual([avgMs, mdevMs], [3_000_000, 1_000_000]);
});

test('without a reply there are no times, and all is lost', () => {
  const summary = answered([undefined, undefined]).summary();
  assert.deepEqual([summary.transmitted, summary.received, summary.lossPercent], [2, 0, 100]);
  for (const key of [
    'minMs',
    'avgMs',
    'maxMs',
    'mdevMs',
    'p50Ms',
    'p95Ms',
    'p99Ms',
    'jitterMs',
    'ewmaMs',
  ] as const) {
    assert.equal(summary[key], null);
  }
  assert.equal(createStatistics().summary().lossPercent, 0);
});

test('loss is given with six significant digits, as C prints %g', () => {
  assert.equal(answered([1, undefined, undefined]).summary().lossPercent, 66.6667);
  assert.equal(answered([1, undefined, 1, 1, 1, undefined, undefined, 1]).summary().lossPercent, 37.5);
});

test('losses are counted in bursts, also when replies come late and out of order', () => {
  const statistics = answered([1, undefined, undefined, 1, undefined, 1, undefined, undefined, undefined]);
  assert.deepEqual([statistics.summary().lossBursts, statistics.summary().longestLossBurst], [3, 3]);
  statistics.reply(2, 5000);
  statistics.reply(3, 5000);
  statistics.reply(8, 5000);
  const summary = statistics.summary();
  assert.deepEqual([summary.lossBursts, summary.longestLossBurst], [3, 1]);
  assert.equal(summary.outOfOrder, 2);
});

test('duplicates count in the times and not in the replies', () => {
  const statistics = answered([1, 1]);
  statistics.duplicate(4);
  const { received, duplicates, avgMs, lossPercent } = statistics.summary();
  assert.deepEqual([received, duplicates, avgMs, lossPercent], [2, 1, 2, 0]);
});

test('jitter is that of RFC 3550: a sixteenth of each difference', () => {
  assert.equal(answered([10, 26]).summary().jitterMs, 1);
  // J = 0 + 16/16 = 1, then 1 + (16 - 1)/16
  assert.equal(answered([10, 26, 10]).summary().jitterMs, 1.938);
  assert.equal(answered([5, 5, 5]).summary().jitterMs, 0);
});

test('percentiles are interpolated, the 50th is the median', () => {
  assert.equal(percentile([7], 95), 7);
  assert.equal(percentile([1, 2, 3, 4], 50), 3);
  assert.equal(percentile([10, 20, 30], 50), 20);
  const hundred = Array.from({ length: 101 }, (_, i) => i * 1000);
  assert.deepEqual([percentile(hundred, 95), percentile(hundred, 99)], [95_000, 99_000]);
});

test('the moving average starts at the first time and takes an eighth of each difference', () => {
  assert.equal(answered([8]).ewmaMs, 8);
  assert.equal(answered([8, 16]).ewmaMs, 9);
});

test('a long run keeps a sample of its times, and exact counts', () => {
  const statistics = createStatistics();
  for (let seq = 1; seq <= 150_000; seq++) {
    statistics.sent(seq);
    statistics.reply(seq, seq % 100);
  }
  const { received, p50Ms, maxMs } = statistics.summary();
  assert.deepEqual([received, maxMs], [150_000, 99]);
  assert.ok(p50Ms !== null && p50Ms > 45 && p50Ms < 55);
});
