import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonText } from '../../../src/commands/output/json-text.js';
import { toJsonLine } from '../../../src/commands/output/reporter.js';
import { createRedactor } from '../../../src/core/secrets.js';

const { redact } = createRedactor(false);

test('JSON text is embedded as it stands, so that no number changes', () => {
  const line = toJsonLine(
    { type: 'response', body: new JsonText('{"id":12345678901234567890,"id":1.10}') },
    redact,
  );
  assert.equal(line, '{"type":"response","body":{"id":12345678901234567890,"id":1.10}}');
});

test('what we sent is masked, what was received is not', () => {
  const url = 'http://ann:pw@h/?token=abc';
  const line = JSON.parse(
    toJsonLine({ url, redirects: [{ url, location: url }], body: url, headers: { link: url } }, redact),
  );
  const masked = 'http://***@h/?token=***';
  assert.deepEqual(line, {
    url: masked,
    redirects: [{ url: masked, location: url }],
    body: url,
    headers: { link: url },
  });
});

test('fields without a value are left out, null stays', () => {
  assert.equal(toJsonLine({ a: undefined, b: null, c: 0, d: [] }, redact), '{"b":null,"c":0,"d":[]}');
});
