import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIpBytes, formatNetmask, parseIpBytes, parseNetmask } from '../../../src/core/net/ip-bytes.js';
import { decodeSockaddr, encodeSockaddr } from '../../../src/core/net/sockaddr.js';

const CANONICAL = [
  '127.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  '2001:db8::2:1',
  '1::',
  '::ffff:192.0.2.1',
];

test('addresses in canonical form survive the way to bytes and back', () => {
  for (const address of CANONICAL)
    assert.equal(formatIpBytes(parseIpBytes(address) ?? Buffer.alloc(4)), address);
});

test('other spellings become the canonical one of RFC 5952', () => {
  const spelled: ReadonlyArray<readonly [string, string]> = [
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ];
  for (const [text, canonical] of spelled) {
    assert.equal(formatIpBytes(parseIpBytes(text) ?? Buffer.alloc(4)), canonical);
  }
  for (const wrong of ['', 'localhost', '1.2.3', '1.2.3.4.5', ':::', '12345::']) {
    assert.equal(parseIpBytes(wrong), undefined, wrong);
  }
});

test('any sixteen bytes are an address that reads back as the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      assert.deepEqual(parseIpBytes(formatIpBytes(bytes)), Buffer.from(bytes));
    }),
  );
});

test('netmasks and prefix lengths are the same thing', () => {
  for (let bits = 0; bits <= 32; bits++) assert.equal(parseNetmask(formatNetmask(bits)), bits);
  assert.equal(formatNetmask(20), '255.255.240.0');
});

test('socket addresses keep address, port and scope', () => {
  assert.deepEqual(decodeSockaddr(encodeSockaddr('192.0.2.1', 80)), {
    address: '192.0.2.1',
    port: 80,
    scopeId: 0,
  });
  assert.deepEqual(decodeSockaddr(encodeSockaddr('fe80::1', 0, 3)), {
    address: 'fe80::1',
    port: 0,
    scopeId: 3,
  });
  assert.equal(decodeSockaddr(Buffer.alloc(16)), undefined);
  assert.equal(decodeSockaddr(Buffer.alloc(0)), undefined);
});
