import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRange } from '../../../../src/core/handlers/static/range.js';

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
    assert.deepEqual(parseRange(field, 100), { first, last });
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
    assert.equal(parseRange(field, 100), 'unsatisfiable', field);
  }
  assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
});

test('what is malformed, in another unit or several ranges is ignored', () => {
  const fields = [
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=1',
    'lines=0-1',
    'bytes=0-0,2-2',
  ];
  fields.push('bytes=0x1-0x2', 'bytes=1.5-2', 'bytes=--1', 'bytes=18446744073709551616-18446744073709551615');
  for (const field of fields) assert.equal(parseRange(field, 100), undefined, field);
  assert.equal(parseRange('bytes=-5', 0), undefined);
});

test('no range ever reaches outside the file', () => {
  const field = fc.oneof(
    fc.string().map((text) => `bytes=${text}`),
    fc.tuple(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n })).map(([from, to]) => `bytes=${from}-${to}`),
    fc.tuple(fc.nat(200), fc.nat(200)).map(([from, to]) => `bytes=${from}-${to}`),
  );
  fc.assert(
    fc.property(field, fc.nat(100), (text, sizeBytes) => {
      const range = parseRange(text, sizeBytes);
      if (typeof range !== 'object') return;
      assert.ok(range.first >= 0 && range.first <= range.last && range.last < sizeBytes);
    }),
  );
});
