import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAsked } from '../../../../src/core/handlers/static/asked.js';
import { checkConditions, rangeApplies } from '../../../../src/core/handlers/static/conditional.js';

const NOW = { etag: '"5-abc"', modifiedMs: Date.UTC(2026, 2, 1, 12, 0, 0) };
const AT = 'Sun, 01 Mar 2026 12:00:00 GMT';
const BEFORE = 'Sun, 01 Mar 2026 11:59:59 GMT';

type Case = readonly [outcome: 304 | 412 | undefined, ...headers: ReadonlyArray<readonly [string, string]>];

const CASES: readonly Case[] = [
  [undefined],
  [304, ['If-None-Match', '"5-abc"']],
  [304, ['If-None-Match', 'W/"5-abc"']],
  [304, ['If-None-Match', '*']],
  [304, ['If-None-Match', '"a,b", W/"c" , "5-abc"']],
  [304, ['If-None-Match', '"a"'], ['if-none-match', '"5-abc"']],
  [undefined, ['If-None-Match', '"a", "5-ab"']],
  [undefined, ['If-None-Match', '5-abc']],
  [undefined, ['If-None-Match', '']],
  [304, ['If-Modified-Since', AT]],
  [undefined, ['If-Modified-Since', BEFORE]],
  [undefined, ['If-Modified-Since', '2030-01-01']],
  [undefined, ['If-None-Match', '"x"'], ['If-Modified-Since', AT]],
  [412, ['If-Match', '"x"']],
  [412, ['If-Match', 'W/"5-abc"']],
  [undefined, ['If-Match', '"x", "5-abc"']],
  [undefined, ['If-Match', '*']],
  [412, ['If-Unmodified-Since', BEFORE]],
  [undefined, ['If-Unmodified-Since', AT]],
  [undefined, ['If-Match', '*'], ['If-Unmodified-Since', BEFORE]],
  [412, ['If-Match', '"x"'], ['If-None-Match', '*']],
  [304, ['If-Match', '*'], ['If-None-Match', '*']],
];

for (const [outcome, ...headers] of CASES) {
  test(`${JSON.stringify(headers)} comes to ${outcome ?? 'an answer as usual'}`, () => {
    assert.equal(checkConditions(readAsked(headers), NOW), outcome);
  });
}

test('a range applies to exactly the state If-Range names', () => {
  const applies = (value: string) => rangeApplies(readAsked([['If-Range', value]]), NOW);
  assert.ok(rangeApplies(readAsked([]), NOW));
  assert.ok(applies('"5-abc"'));
  assert.ok(applies(AT));
  for (const other of ['W/"5-abc"', '"5-abd"', BEFORE, 'Sun, 01 Mar 2026 12:00:01 GMT', 'nonsense', '*']) {
    assert.ok(!applies(other), other);
  }
});

test('a weak tag can be compared for a 304, but neither for a range nor for If-Match', () => {
  const weak = { ...NOW, etag: 'W/"5-abc"' };
  const outcome = (name: string, value: string) => checkConditions(readAsked([[name, value]]), weak);
  assert.equal(outcome('If-None-Match', 'W/"5-abc"'), 304);
  assert.equal(outcome('If-None-Match', '"5-abc"'), 304);
  assert.equal(outcome('If-Match', 'W/"5-abc"'), 412);
  assert.equal(outcome('If-Match', '"5-abc"'), 412);
  assert.equal(outcome('If-Match', '*'), undefined);
  assert.ok(!rangeApplies(readAsked([['If-Range', 'W/"5-abc"']]), weak));
});
