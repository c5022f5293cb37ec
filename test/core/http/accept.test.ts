import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseType } from '../../../src/core/http/accept.js';

const OFFERS = ['text/plain', 'text/html', 'application/json'] as const;

const CASES: ReadonlyArray<readonly [accept: string | undefined, chosen: string]> = [
  [undefined, 'text/plain'],
  ['', 'text/plain'],
  ['*/*', 'text/plain'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html'],
  ['application/json', 'application/json'],
  ['application/json, text/plain, */*', 'application/json'],
  ['application/*', 'application/json'],
  ['text/html;q=0.1, application/json;q=0.2', 'application/json'],
  ['text/plain;q=0, */*', 'text/html'],
  ['text/html;level=1', 'text/html'],
  ['TEXT/HTML', 'text/html'],
  ['image/png', 'text/plain'],
  ['text/html;q=nonsense, application/json;q=0.1', 'application/json'],
  [',;=/', 'text/plain'],
];

for (const [accept, chosen] of CASES) {
  test(`Accept ${JSON.stringify(accept)} chooses ${chosen}`, () => {
    assert.equal(chooseType(accept, OFFERS), chosen);
  });
}
