import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describeIcmpError, isRedirect } from '../../../src/core/ping/icmp-words.js';
import {
  checksum,
  createEchoRequest,
  decodeEcho,
  decodeIcmpError,
  findWrongData,
  stampEchoRequest,
  stripIpHeader,
} from '../../../src/core/ping/packet.js';

test('the checksum is that of RFC 1071, for even and odd lengths', () => {
  assert.equal(checksum(Buffer.from('0001f203f4f5f6f7', 'hex')), 0x220d);
  assert.equal(checksum(Buffer.from('000102', 'hex')), 0xfdfe);
  assert.equal(checksum(Buffer.alloc(0)), 0xffff);
});

test('a stamped IPv4 request has a checksum that verifies, whatever its payload', () => {
  fc.assert(
    fc.property(fc.nat(300), fc.uint8Array({ maxLength: 16 }), fc.nat(65_535), (size, pattern, sequence) => {
      const packet = createEchoRequest(4, size, pattern);
      stampEchoRequest(packet, { identifier: 0x1234, sequence, nowMs: 1_700_000_000_123.456 });
      assert.equal(checksum(packet), 0);
      const echo = decodeEcho(packet, 4);
      assert.deepEqual([echo?.type, echo?.identifier, echo?.sequence], [8, 0x1234, sequence]);
      assert.equal(echo?.payload.length, size);
    }),
  );
});

test('payloads count up as iputils fills them, or repeat a pattern, and carry the time in front', () => {
  const packet = createEchoRequest(6, 56);
  assert.equal(packet[0], 128);
  assert.equal(packet[8 + 40], 40);
  stampEchoRequest(packet, { identifier: 1, sequence: 2, nowMs: 1_700_000_000_123.456 });
  assert.equal(packet.readUInt32LE(8), 1_700_000_000);
  assert.equal(packet.readUInt32LE(16), 123_456);
  const short = createEchoRequest(4, 8, Buffer.from('abcd', 'hex'));
  stampEchoRequest(short, { identifier: 1, sequence: 1, nowMs: 1 });
  assert.equal(short.subarray(8).toString('hex'), 'abcdabcdabcdabcd');
});

test('changed payload bytes are found, the time stamp aside', () => {
  const sent = createEchoRequest(4, 56).subarray(8);
  const received = Buffer.from(sent);
  received[3] = 99;
  assert.equal(findWrongData(sent, received), undefined);
  received[32] = 0xdf;
  const { offset, expected, actual } = findWrongData(sent, received) ?? {};
  assert.deepEqual([offset, expected, actual], [32, 0x20, 0xdf]);
  assert.equal(findWrongData(sent, sent.subarray(0, 20)), undefined);
});

/** An IPv4 header with options, as the receiving side sees it. */
function withIpHeader(message: Buffer, ttl: number, words = 5): Buffer {
  const header = Buffer.alloc(words * 4);
  header[0] = 0x40 | words;
  header[8] = ttl;
  header.set([10, 0, 0, 9], 16);
  return Buffer.concat([header, message]);
}

test('an IP header in front, with options or without, is taken off', () => {
  const packet = createEchoRequest(4, 0);
  assert.deepEqual(stripIpHeader(withIpHeader(packet, 57)), { ttl: 57, message: packet });
  assert.deepEqual(stripIpHeader(withIpHeader(packet, 3, 8)), { ttl: 3, message: packet });
  for (const junk of [Buffer.alloc(0), Buffer.alloc(10), Buffer.from([0x4f, 0, 0, 0])]) {
    assert.equal(stripIpHeader(junk), undefined);
  }
});

test('an ICMP error that comes in-band, as on macOS, tells of the request it is about', () => {
  const request = createEchoRequest(4, 20);
  stampEchoRequest(request, { identifier: 7, sequence: 42, nowMs: 0 });
  const error = Buffer.concat([Buffer.from([3, 4, 0, 0, 0, 0, 5, 20]), withIpHeader(request, 1)]);
  const decoded = decodeIcmpError(error, 4);
  assert.deepEqual(
    [decoded?.type, decoded?.code, decoded?.info, decoded?.echo.sequence, decoded?.to.join('.')],
    [3, 4, 1300, 42, '10.0.0.9'],
  );
  assert.equal(decodeIcmpError(request, 4), undefined);
  assert.equal(decodeIcmpError(error.subarray(0, 20), 4), undefined);
});

test('anything may arrive: decoders never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      const message = Buffer.from(bytes);
      stripIpHeader(message);
      for (const family of [4, 6] as const) {
        decodeEcho(message, family);
        decodeIcmpError(message, family);
      }
    }),
  );
});

test('ICMP errors are named in the words of iputils', () => {
  const words: ReadonlyArray<readonly [4 | 6, number, number, number, string]> = [
    [4, 3, 0, 0, 'Destination Net Unreachable'],
    [4, 3, 1, 0, 'Destination Host Unreachable'],
    [4, 3, 4, 1300, 'Frag needed and DF set (mtu = 1300)'],
    [4, 3, 13, 0, 'Packet filtered'],
    [4, 3, 99, 0, 'Dest Unreachable, Bad Code: 99'],
    [4, 11, 0, 0, 'Time to live exceeded'],
    [4, 11, 1, 0, 'Frag reassembly time exceeded'],
    [4, 5, 1, 0, 'Redirect Host(New nexthop: 10.0.0.1)'],
    [6, 1, 0, 0, 'Destination unreachable: No route'],
    [6, 1, 4, 0, 'Destination unreachable: Port unreachable'],
    [6, 2, 0, 1280, 'Packet too big: mtu=1280'],
    [6, 3, 0, 0, 'Time exceeded: Hop limit'],
    [6, 4, 1, 40, 'Parameter problem: Unknown header at 40'],
  ];
  for (const [family, type, code, info, text] of words) {
    assert.equal(describeIcmpError(family, { type, code, info, gateway: '10.0.0.1' }), text);
  }
  assert.deepEqual([isRedirect(4, 5), isRedirect(6, 137), isRedirect(4, 3)], [true, true, false]);
});
