import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeControl } from '../../../src/core/ping/backends/control.js';
import {
  decodeWindowsReply,
  encodeIpOptions,
  encodeWindowsAddress6,
  replyBufferBytes,
} from '../../../src/core/ping/backends/win32-packet.js';
import { expandHosts, parseHostLines } from '../../../src/core/ping/targets.js';

test('networks and ranges become their addresses, as fping takes them', () => {
  assert.deepEqual(expandHosts(['192.0.2.0/30', 'example.org']), ['192.0.2.1', '192.0.2.2', 'example.org']);
  assert.deepEqual(expandHosts(['192.0.2.8/31']), ['192.0.2.8', '192.0.2.9']);
  assert.deepEqual(expandHosts(['192.0.2.77/32']), ['192.0.2.77']);
  assert.equal(expandHosts(['127.0.0.0/22']).length, 1022);
  assert.deepEqual(expandHosts(['192.0.2.254-192.0.3.1']), [
    '192.0.2.254',
    '192.0.2.255',
    '192.0.3.0',
    '192.0.3.1',
  ]);
  assert.deepEqual(expandHosts(['192.0.2.1-3']), ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  assert.deepEqual(expandHosts(['2001:db8::/127']), ['2001:db8::', '2001:db8::1']);
  assert.deepEqual(expandHosts(['my-host', 'a/b']), ['my-host', 'a/b']);
});

test('ranges that make no sense, or too many hosts, are refused', () => {
  for (const wrong of ['10.0.0.0/8', '10.0.0.0/33', '10.0.0.9-1', '10.0.0.1-::1', '2001:db8::/64']) {
    assert.throws(() => expandHosts([wrong]), { code: 'USAGE' }, wrong);
  }
});

test('a file of hosts has comments, blank lines and Windows line ends', () => {
  assert.deepEqual(parseHostLines('# all\r\n192.0.2.1\r\n\r\n  example.org  # the site\n::1 loopback\n'), [
    '192.0.2.1',
    'example.org',
    '::1',
  ]);
});

const onLinux = { skip: process.platform === 'darwin' ? 'layouts of Linux' : false };

test('control messages as Linux sends them: time, hop limit, and who reported which error', onLinux, () => {
  // Recorded from a datagram socket: timestamp, TTL 63, IP_RECVERR with EHOSTUNREACH by 10.9.1.2 (type 11).
  const time = cmsg(1, 35, Buffer.concat([int64(1_700_000_000n), int64(123_456_789n)]));
  const ttl = cmsg(0, 2, Buffer.from([63, 0, 0, 0]));
  const error = cmsg(
    0,
    11,
    Buffer.from('71000000020b00000000000000000000020000000a0901020000000000000000', 'hex'),
  );
  const info = decodeControl(Buffer.concat([time, ttl, error]));
  assert.deepEqual(info, {
    receivedAt: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
    ttl: 63,
    error: { errno: 113, origin: 2, type: 11, code: 0, info: 0, offender: '10.9.1.2' },
  });
  const hops = decodeControl(cmsg(41, 52, Buffer.from([7, 0, 0, 0])));
  assert.deepEqual(hops, { ttl: 7 });
});

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

function cmsg(level: number, type: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(16 + Math.ceil(data.length / 8) * 8);
  bytes.writeBigUInt64LE(BigInt(16 + data.length), 0);
  bytes.writeInt32LE(level, 8);
  bytes.writeInt32LE(type, 12);
  bytes.set(data, 16);
  return bytes;
}

test('control data that is cut short or nonsense is left alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeControl(Buffer.from(bytes))),
  );
});

// Built from the layouts Microsoft documents; not run on Windows.
test('replies of IcmpSendEcho2 are read from its structures', () => {
  const sent = Buffer.from('0123456789abcdefXYZ');
  const reply = Buffer.alloc(replyBufferBytes(4, sent.length));
  const pointer = 0x7ff0_0000_0000n;
  reply.set([192, 0, 2, 1], 0);
  reply.writeUInt32LE(13, 8);
  reply.writeUInt16LE(sent.length, 12);
  reply.writeBigUInt64LE(pointer + 40n, 16);
  reply.writeUInt8(57, 24);
  reply.set(sent, 40);
  const result = { reply, pointer, elapsedMs: 12.75, sent, lastError: 0 };
  assert.deepEqual(decodeWindowsReply(4, result), { timeMs: 12.75, bytes: 27, ttl: 57 });
  reply[40 + 17] = 0;
  assert.equal((decodeWindowsReply(4, result) as { wrongData: { offset: number } }).wrongData.offset, 17);
  reply.writeUInt32LE(11_013, 4);
  assert.deepEqual(decodeWindowsReply(4, result), {
    from: '192.0.2.1',
    icmpType: 11,
    icmpCode: 0,
    message: 'Time to live exceeded',
  });
  assert.equal(decodeWindowsReply(4, { ...result, lastError: 11_010 }), undefined);
  const failure = decodeWindowsReply(4, { ...result, lastError: 11_050 });
  assert.equal((failure as { message: string }).message, 'General failure (11050)');
});

test('replies of Icmp6SendEcho2 are packed, and have no hop limit', () => {
  const sent = Buffer.from('0123456789abcdef');
  const reply = Buffer.alloc(replyBufferBytes(6, sent.length));
  reply.set([0x20, 0x01, 0x0d, 0xb8], 6);
  reply[21] = 1;
  reply.set(sent, 36);
  const result = { reply, pointer: 0n, elapsedMs: 1, sent, lastError: 0 };
  assert.deepEqual(decodeWindowsReply(6, result), { timeMs: 1, bytes: 24, ttl: null });
  reply.writeUInt32LE(11_003, 28);
  assert.deepEqual(decodeWindowsReply(6, result), {
    from: '2001:db8::1',
    icmpType: 1,
    icmpCode: 3,
    message: 'Destination unreachable: Address unreachable',
  });
});

test('options and addresses for Windows have its layout', () => {
  assert.equal(
    encodeIpOptions({ ttl: 9, trafficClass: 4, dontFragment: true }).toString('hex', 0, 4),
    '09040200',
  );
  const address = encodeWindowsAddress6('fe80::1%12');
  assert.deepEqual(
    [address.readUInt16LE(0), address[8], address[23], address.readUInt32LE(24)],
    [23, 0xfe, 1, 12],
  );
});
