import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExchangeTable } from '../../../../src/core/handlers/python/exchange-table.js';
import { FRAME } from '../../../../src/core/handlers/python/frames.js';
import type { Exchange } from '../../../../src/core/handlers/python/lane.js';

const exchange = (): Exchange => ({ opening: { kind: FRAME.REQUEST, id: 0 } }) as Exchange;

test('exchanges are found by the identifier they were given, those that stay for long too', () => {
  const table = new ExchangeTable();
  const staying = [exchange(), exchange(), exchange()];
  for (const one of staying) table.add(one);
  const seen = new Set(staying.map(({ opening }) => opening.id));
  for (let round = 0; round < 1000; round++) {
    const one = exchange();
    table.add(one);
    assert.ok(!seen.has(one.opening.id), 'no identifier is used twice');
    seen.add(one.opening.id);
    assert.equal(table.get(one.opening.id), one);
    assert.equal(table.delete(one.opening.id), true);
    assert.equal(table.delete(one.opening.id), false);
    assert.equal(table.get(one.opening.id), undefined);
  }
  assert.deepEqual(table.values(), staying);
});

test('the table grows with what is open, in the order it was added', () => {
  const table = new ExchangeTable();
  const all = Array.from({ length: 1000 }, exchange);
  for (const one of all) table.add(one);
  assert.equal(table.size, 1000);
  assert.deepEqual(table.values(), all);
  for (const one of all.slice(0, 999)) assert.equal(table.delete(one.opening.id), true);
  assert.deepEqual(table.values(), all.slice(999));
});
