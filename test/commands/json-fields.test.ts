import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildJson } from '../../src/commands/json-fields.js';

/** `path=json` → the body they make. */
const build = (...fields: string[]): string =>
  buildJson(
    fields.map((field) => {
      const at = field.lastIndexOf('=');
      return { path: field.slice(0, at), value: field.slice(at + 1) };
    }),
  );

const BODIES: ReadonlyArray<readonly [fields: readonly string[], json: string]> = [
  [['a=1', 'b="x"'], '{"a":1,"b":"x"}'],
  [['a=12345678901234567890', 'b=1.10'], '{"a":12345678901234567890,"b":1.10}'],
  [['a=1', 'a=2'], '{"a":2}'],
  [['b=1', 'a=2', '10=3'], '{"b":1,"a":2,"10":3}'],
  [['a[b]=1', 'a[c]=2'], '{"a":{"b":1,"c":2}}'],
  [['a[]=1', 'a[]=2'], '{"a":[1,2]}'],
  [['a[b][]=1', 'a[b][]=2', 'a[c][d]=3'], '{"a":{"b":[1,2],"c":{"d":3}}}'],
  [['a[1]=1'], '{"a":[null,1]}'],
  [['a[0][x]=1', 'a[0][y]=2'], '{"a":[{"x":1,"y":2}]}'],
  [['[]=1', '[]=2'], '[1,2]'],
  [['[a]=1'], '{"a":1}'],
  [['a\\[b\\]=1'], '{"a[b]":1}'],
  [['a[\\0]=1'], '{"a":{"0":1}}'],
  [['a[x\\]y]=1'], '{"a":{"x]y":1}}'],
  [['__proto__=1', 'constructor[x]=2'], '{"__proto__":1,"constructor":{"x":2}}'],
  [['a[]=1', 'a=2'], '{"a":2}'],
];

for (const [fields, json] of BODIES) {
  test(`${fields.join(' ')} makes ${json}`, () => assert.equal(build(...fields), json));
}

const BAD: ReadonlyArray<readonly [fields: readonly string[], why: RegExp]> = [
  [['a[b=1'], /'a\[b': expected '\]' \(at character 4\)/],
  [['a[b]c=1'], /'a\[b\]c': expected '\[' \(at character 5\)/],
  [['a]=1'], /unexpected '\]' \(at character 2\)/],
  [['a[b[c]]=1'], /unexpected '\[' \(at character 4\)/],
  [['a=1', 'a[b]=2'], /'a\[b\]': 'a' is a plain value already, not an object/],
  [['a[b]=1', 'a[]=2'], /'a' is an object already, not an array/],
  [['a[b][]=1', 'a[b][c]=2'], /'a\[b\]' is an array already, not an object/],
  [['a=1', '[]=2'], /the body is an object already, not an array/],
  [['a[10000]=1'], /an index above 9999/],
  [[`a${'[x]'.repeat(200)}=1`], /nested more than 100 deep/],
];

for (const [fields, why] of BAD) {
  test(`${fields.join(' ').slice(0, 40)} is refused`, () =>
    assert.throws(() => build(...fields), { code: 'USAGE', message: why }));
}
