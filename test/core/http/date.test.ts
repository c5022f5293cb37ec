import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHttpDate, parseHttpDate } from '../../../src/core/http/date.js';

const MS = Date.UTC(1994, 10, 6, 8, 49, 37);

test('all three forms of an HTTP date are read', () => {
  assert.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'), MS);
  assert.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), MS);
  assert.equal(parseHttpDate('Sun Nov  6 08:49:37 1994'), MS);
});

test('a two-digit year is at most 50 years ahead', () => {
  const now = Date.UTC(2026, 0, 1);
  const yearOf = (year: string): number =>
    new Date(parseHttpDate(`Sunday, 06-Nov-${year} 08:49:37 GMT`, now) ?? 0).getUTCFullYear();
  assert.deepEqual(['76', '77', '00', '26'].map(yearOf), [2076, 1977, 2000, 2026]);
});

test('anything else is no HTTP date, though JavaScript might take it', () => {
  for (const text of [
    '',
    '1994-11-06',
    '0',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 36 Nov 1994 08:49:37 GMT',
    'tomorrow',
  ]) {
    assert.equal(parseHttpDate(text), undefined, text);
  }
});

test('an instant is written as IMF-fixdate, or not at all', () => {
  assert.equal(formatHttpDate(MS), 'Sun, 06 Nov 1994 08:49:37 GMT');
  assert.equal(formatHttpDate(Number.NaN), undefined);
  assert.equal(formatHttpDate(8.64e15), undefined);
});
