import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteRange, coalesce, parseRanges } from '../../../../src/core/handlers/static/range.js';

const HUGE = '9'.repeat(400);

const CASES: ReadonlyArray<readonly [field: string, first: number, last: number]> = [
  ['bytes=0-0', 0, 0],
  ['bytes=0-99', 0, 99],
  ['bytes=10-', 10, 99],
  ['bytes=99-', 99, 99],
  ['bytes=90-1000', 90, 99],
  ['bytes=-1', 99, 99],
  ['bytes=-100', 0, 99],
  ['bytes=-101', 0, 99],
  ['BYTES=1-2', 1, 2],
  ['bytes= 1-2 ', 1, 2],
  ['bytes=0-18446744073709551616', 0, 99],
  [`bytes=5-${HUGE}`, 5, 99],
  [`bytes=-${HUGE}`, 0, 99],
  ['bytes=00-01', 0, 1],
];

for (const [field, first, last] of CASES) {
  test(`of 100 bytes ${field.slice(0, 40)} is ${first} to ${last}`, () => {
    assert.deepEqual(parseRanges(field, 100), [{ first, last }]);
  });
}

test('a range behind the end is unsatisfiable', () => {
  for (const field of [
    'bytes=100-',
    'bytes=100-200',
    'bytes=-0',
    'bytes=-000',
    `bytes=${HUGE}-`,
    `bytes=${HUGE}-${HUGE}`,
  ]) {
    assert.equal(parseRanges(field, 100), 'unsatisfiable', field);
  }
  assert.equal(parseRanges('bytes=0-', 0), 'unsatisfiable');
});

test('what is malformed or in another unit is ignored', () => {
  const fields = [
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=1',
    'lines=0-1',
    'bytes=0-0,x',
    'bytes=,',
    'bytes=0-0;1-1',
  ];
  fields.push('bytes=0x1-0x2', 'bytes=1.5-2', 'bytes=--1', 'bytes=18446744073709551616-18446744073709551615');
  for (const field of fields) assert.equal(parseRanges(field, 100), undefined, field);
  assert.equal(parseRanges('bytes=-5', 0), undefined);
});

test('several ranges keep their order; those that overlap or touch become one', () => {
  const parse = (field: string) => parseRanges(field, 10_000);
  assert.deepEqual(parse('bytes=0-9,11-19'), [
    { first: 0, last: 9 },
    { first: 11, last: 19 },
  ]);
  assert.deepEqual(parse('bytes=-10, 0-9'), [
    { first: 9990, last: 9999 },
    { first: 0, last: 9 },
  ]);
  assert.deepEqual(parse('bytes=0-9,10-19'), [{ first: 0, last: 19 }]);
  assert.deepEqual(parse('bytes=5000-,0-5000'), [{ first: 0, last: 9999 }]);
  assert.deepEqual(parse('bytes=0-0,,99999-,\t1-6 '), [{ first: 0, last: 6 }]);
  assert.deepEqual(parse(`bytes=${Array(100).fill('0-').join(',')}`), [{ first: 0, last: 9999 }]);
  assert.equal(parse(`bytes=${Array(101).fill('0-').join(',')}`), undefined);
  assert.equal(parse('bytes=10000-,99999-'), 'unsatisfiable');
});

test('of many ranges those that nearly touch become one', () => {
  const spaced = (gap: number) =>
    Array.from({ length: 9 }, (_, index) => `${index * (10 + gap)}-${index * (10 + gap) + 9}`).join(',');
  assert.equal(parseRanges(`bytes=${spaced(80)}`, 10_000)?.length, 1);
  assert.equal(parseRanges(`bytes=${spaced(81)}`, 10_000)?.length, 9);
});

const bound = fc.oneof(fc.nat(3000).map(String), fc.bigInt({ min: 0n }).map(String), fc.constant(''));
const rangeSet = fc
  .array(
    fc.tuple(bound, bound).map(([from, to]) => `${from}-${to}`),
    { minLength: 1, maxLength: 120 },
  )
  .map((specs) => `bytes=${specs.join(',')}`);

test('no range ever reaches outside the file, and no byte is sent twice', () => {
  const field = fc.oneof(
    fc.string().map((text) => `bytes=${text}`),
    rangeSet,
  );
  fc.assert(
    fc.property(field, fc.nat(3000), (text, sizeBytes) => {
      const ranges = parseRanges(text, sizeBytes);
      if (typeof ranges !== 'object') return;
      let total = 0;
      for (const { first, last } of ranges) {
        assert.ok(first >= 0 && first <= last && last < sizeBytes);
        total += last - first + 1;
      }
      assert.ok(ranges.length >= 1 && total <= sizeBytes);
    }),
    { numRuns: 500 },
  );
});

test('every byte that was asked for is in what is sent, and parts are worth their heads', () => {
  const range = fc
    .tuple(fc.nat(3000), fc.nat(300))
    .map(([first, more]): ByteRange => ({ first, last: first + more }));
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 30 }), (asked) => {
      const sent = coalesce(asked);
      for (const { first, last } of asked) {
        assert.equal(sent.filter((part) => part.first <= first && part.last >= last).length, 1);
      }
      const sorted = [...sent].sort((a, b) => a.first - b.first);
      for (const [index, { first }] of sorted.entries()) {
        const before = sorted[index - 1];
        assert.ok(before === undefined || first - before.last - 1 > (asked.length > 8 ? 80 : 0));
      }
    }),
  );
});
