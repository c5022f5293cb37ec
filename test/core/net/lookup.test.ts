import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lookup, lookupName } from '../../../src/core/net/lookup.js';

test('literal addresses are taken as they are, with brackets and zones', async () => {
  assert.deepEqual(await lookup('127.0.0.1'), [{ address: '127.0.0.1', family: 4 }]);
  assert.deepEqual(await lookup('[::1]'), [{ address: '::1', family: 6 }]);
  assert.deepEqual(await lookup('fe80::1%lo'), [{ address: 'fe80::1%lo', family: 6 }]);
});

test('a literal address of the wrong family does not resolve', async () => {
  await assert.rejects(lookup('127.0.0.1', { family: 6 }), { code: 'DNS_NOT_FOUND' });
  await assert.rejects(lookup('::1', { family: 4 }), { code: 'DNS_NOT_FOUND' });
});

test('localhost resolves to loopback addresses of the family asked for', async () => {
  for (const { address, family } of await lookup('localhost', { family: 4 })) {
    assert.equal(family, 4);
    assert.match(address, /^127\./);
  }
});

test('a name that cannot exist names the host in its error', async () => {
  await assert.rejects(lookup('nosuch.invalid'), /cannot resolve nosuch\.invalid/);
});

test('the name of an address is given up on in time', async () => {
  const started = performance.now();
  await lookupName('192.0.2.1', 50);
  assert.ok(performance.now() - started < 2000);
});
