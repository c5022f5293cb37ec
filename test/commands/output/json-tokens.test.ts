import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compactJson, isJson, prettyJson } from '../../../src/commands/output/json-tokens.js';
import { createStyle } from '../../../src/commands/output/style.js';

const plain = createStyle({ isTTY: true, color: 'never', env: {} });
const colored = createStyle({ isTTY: true, color: 'always', env: {} });

test('numbers, the order of keys and repeated keys stay as they were written', () => {
  const text = '{ "z" : 12345678901234567890 ,"a":1.10,\n"a":1e400, "b":-0.0E+5 }';
  assert.equal(compactJson(text), '{"z":12345678901234567890,"a":1.10,"a":1e400,"b":-0.0E+5}');
  assert.equal(
    prettyJson(text, plain),
    '{\n  "z": 12345678901234567890,\n  "a": 1.10,\n  "a": 1e400,\n  "b": -0.0E+5\n}',
  );
});

test('strings are left alone, whatever is in them', () => {
  const text = '{"a\\"{": "x\\\\", "b": "[1, 2] : \\\\\\" \\u00e9 é", "": ""}';
  assert.equal(compactJson(text), text.replaceAll('": ', '":').replaceAll(', "', ',"').replace('] :', '] :'));
});

test('empty brackets stay together and scalars stand alone', () => {
  assert.equal(prettyJson('[ ]', plain), '[]');
  assert.equal(prettyJson('{"a":{},"b":[ [] ]}', plain), '{\n  "a": {},\n  "b": [\n    []\n  ]\n}');
  assert.equal(prettyJson(' true ', plain), 'true');
  assert.equal(prettyJson('"x"', plain), '"x"');
});

test('keys, strings, numbers and words have colours of their own', () => {
  const painted = prettyJson('{"k":"s","n":1,"t":null}', colored);
  const codes = [...painted.matchAll(/\x1b\[(\d+)m("k"|"s"|1|null)/g)].map(([, code]) => code);
  assert.equal(new Set(codes).size, 4);
});

test('control characters of a string are escaped for a terminal', () => {
  // Allowed in JSON as they stand: DEL, C1, bidi.
  assert.equal(prettyJson('"a\x7f\x9b\u202eb"', plain), '"a\\x7f\\x9b\\u202eb"');
});

test('a very deep and a very long text are laid out without overflow', () => {
  const deep = '['.repeat(5000) + ']'.repeat(5000);
  assert.equal(compactJson(deep), deep);
  const long = JSON.stringify('x"\\'.repeat(300_000));
  assert.equal(compactJson(long), long);
});

test('any JSON means the same after compacting and after laying out', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(4), (text, indent) => {
      const spaced = JSON.stringify(JSON.parse(text), null, indent);
      assert.equal(compactJson(spaced), JSON.stringify(JSON.parse(text)));
      assert.deepEqual(
        JSON.parse(prettyJson(text, createStyle({ isTTY: false, color: 'never', env: {} }))),
        JSON.parse(text),
      );
    }),
  );
});

test('what is not JSON is told apart', () => {
  for (const text of ['', '{', "{'a':1}", '[1,]', '01', 'NaN', '{"a":1} x', '\ufeff1']) {
    assert.equal(isJson(text), false, text);
  }
});
