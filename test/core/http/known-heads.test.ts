import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rememberHeads } from '../../../src/core/http/known-heads.js';
import type { HeaderPair } from '../../../src/core/http/messages.js';

const parse = rememberHeads((head) => ({ headers: [['Head', head] as HeaderPair] }), /secret/i);

test('a head that comes again is the same object, whose fields nobody can change', () => {
  const first = parse('a');
  assert.equal(parse('a'), first);
  assert.ok(Object.isFrozen(first.headers));
  assert.notEqual(parse('b'), first);
});

test('personal and long heads are not kept', () => {
  for (const head of ['Secret: 1', 'x'.repeat(301)]) {
    assert.notEqual(parse(head), parse(head));
    assert.ok(!Object.isFrozen(parse(head).headers));
  }
});

test('an application that sends ever new heads does not fill the memory', () => {
  const first = parse('a');
  for (let count = 0; count < 500; count += 1) parse(`id ${count}`);
  assert.notEqual(parse('a'), first);
});
