import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CODINGS, parseAcceptEncoding, preferenceOf } from '../../../../src/core/handlers/static/coding.js';

const CASES: ReadonlyArray<readonly [field: string, codings: string, identity: boolean]> = [
  ['', '', true],
  ['gzip', 'gzip', true],
  ['x-gzip', 'gzip', true],
  ['GZIP', 'gzip', true],
  ['gzip, deflate, br, zstd', 'br zstd gzip', true],
  ['gzip;q=1.0, br;q=0.5', 'gzip br', true],
  ['zstd;q=0.9,gzip;q=0.9,br;q=0.8', 'zstd gzip br', true],
  ['gzip;q=0', '', true],
  ['gzip;q=0.000', '', true],
  ['br;q=0, gzip', 'gzip', true],
  ['*', 'br zstd gzip', true],
  ['*;q=0', '', false],
  ['*;q=0, gzip', 'gzip', false],
  ['gzip, *;q=0', 'gzip', false],
  ['br;q=0, *', 'zstd gzip', true],
  ['identity;q=0', '', false],
  ['identity;q=0, gzip;q=0.5', 'gzip', false],
  ['identity, *;q=0', '', true],
  ['identity;q=1, gzip;q=0.5', '', true],
  ['identity;q=0.5, gzip;q=0.5', 'gzip', true],
  ['gzip ; q=0.5 , br\t;\tq=0.6', 'br gzip', true],
  ['gzip;Q=0', '', true],
  ['gzip, gzip;q=0', '', true],
  ['gzip;q=2', '', true],
  ['gzip;q=-1', '', true],
  ['gzip;q=nan', '', true],
  ['gzip;level=9', '', true],
  ['deflate, compress, sdch', '', true],
  [',,;q=1,gzip,;', 'gzip', true],
];

for (const [field, codings, identity] of CASES) {
  test(`Accept-Encoding ${JSON.stringify(field)} takes ${codings || 'nothing'}${identity ? ', or plain bytes' : ''}`, () => {
    assert.deepEqual(parseAcceptEncoding(field), { codings: codings.split(' ').filter(Boolean), identity });
  });
}

test('no field at all means plain bytes', () => {
  assert.deepEqual(preferenceOf(undefined), { codings: [], identity: true });
});

const names = fc.constantFrom('br', 'gzip', 'zstd', 'identity', '*', 'deflate', 'x-gzip');
const element = fc
  .tuple(names, fc.option(fc.integer({ min: 0, max: 1000 })))
  .map(([name, weight]) => ({ name, quality: weight === null ? 1 : weight / 1000 }));

test('what is forbidden is never taken, and a better wish is never passed over', () => {
  fc.assert(
    fc.property(fc.uniqueArray(element, { selector: ({ name }) => name.replace('x-', '') }), (elements) => {
      const field = elements.map(({ name, quality }) => `${name};q=${quality}`).join(', ');
      const { codings, identity } = parseAcceptEncoding(field);
      const wish = (name: string): number | undefined =>
        elements.find((one) => one.name.replace('x-', '') === name)?.quality;
      const quality = (name: string): number => wish(name) ?? wish('*') ?? 0;
      for (const coding of codings) assert.ok(quality(coding) > 0);
      for (const [index, coding] of codings.entries()) {
        const next = codings[index + 1];
        if (next === undefined) continue;
        assert.ok(quality(coding) >= quality(next));
        if (quality(coding) === quality(next)) {
          assert.ok(CODINGS.indexOf(coding) < CODINGS.indexOf(next));
        }
      }
      for (const coding of CODINGS) {
        if (quality(coding) > 0 && quality(coding) >= (wish('identity') ?? 0))
          assert.ok(codings.includes(coding));
      }
      assert.equal(identity, (wish('identity') ?? wish('*') ?? 1) > 0);
    }),
    { numRuns: 500 },
  );
});

test('no field, however odd, makes parsing fail', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (field) => {
      const { codings } = preferenceOf(field);
      assert.ok(codings.every((coding) => CODINGS.includes(coding)));
      assert.deepEqual(preferenceOf(field), parseAcceptEncoding(field));
    }),
  );
});
