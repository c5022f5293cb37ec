import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwardedClient } from '../../../src/core/http/forwarded-client.js';
import type { HeaderPair } from '../../../src/core/http/messages.js';

const isTrusted = (address: string): boolean => address.startsWith('10.');

test('the client behind trusted proxies is the last address that is not theirs', () => {
  const from = (...values: string[]): string | undefined =>
    forwardedClient(
      values.map((value): HeaderPair => ['X-Forwarded-For', value]),
      isTrusted,
    ).address;
  assert.equal(from(), undefined);
  assert.equal(from('1.1.1.1'), '1.1.1.1');
  assert.equal(from('6.6.6.6, 1.1.1.1, 10.0.0.2'), '1.1.1.1');
  assert.equal(from('6.6.6.6', '1.1.1.1', '10.0.0.2'), '1.1.1.1');
  assert.equal(from('10.0.0.3, 10.0.0.2'), '10.0.0.3');
  assert.equal(from('[2001:db8::1]:443'), '2001:db8::1');
  for (const none of ['unknown', '', '1.1.1.1, _hidden', '[1.1.1.1]', '999.1.1.1', 'a:80']) {
    assert.equal(from(none), undefined, none);
  }
  assert.equal(from('6.6.6.6, nonsense, 10.0.0.2'), '10.0.0.2');
});

test('its port is told by some proxies', () => {
  assert.equal(forwardedClient([['X-Forwarded-For', '1.1.1.1:4711']], isTrusted).port, 4711);
  assert.equal(forwardedClient([['X-Forwarded-For', '1.1.1.1']], isTrusted).port, 0);
});

test('its scheme is that of the hop it came by', () => {
  const scheme = (chain: string, proto: string): string | undefined =>
    forwardedClient(
      [
        ['X-Forwarded-For', chain],
        ['X-Forwarded-Proto', proto],
      ],
      isTrusted,
    ).scheme;
  assert.equal(scheme('1.1.1.1', 'https'), 'https');
  assert.equal(scheme('1.1.1.1', 'WSS'), 'https');
  assert.equal(scheme('1.1.1.1', 'ftp'), undefined);
  assert.equal(scheme('1.1.1.1, 10.0.0.2', 'https'), 'https');
  assert.equal(scheme('1.1.1.1, 10.0.0.2', 'https, http'), 'https');
  assert.equal(
    scheme('1.1.1.1', 'https, http'),
    'http',
    'what the client itself wrote before it does not count',
  );
});
