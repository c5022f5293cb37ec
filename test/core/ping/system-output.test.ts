import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { commandFor } from '../../../src/core/ping/backends/system.js';
import { parseSystemPing } from '../../../src/core/ping/backends/system-output.js';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/ping/${name}.txt`, import.meta.url), 'utf8');

test('recorded outputs of iputils and BusyBox are understood', () => {
  const reply = (timeMs: number) => ({ timeMs, bytes: 64, ttl: 63 });
  assert.deepEqual(parseSystemPing(fixture('iputils-reply'), 4), reply(0.124));
  assert.equal((parseSystemPing(fixture('iputils-reply-v6'), 6) as { ttl: number }).ttl, 63);
  assert.deepEqual(parseSystemPing(fixture('busybox-reply'), 4), reply(0.047));
  assert.deepEqual(parseSystemPing(fixture('busybox-reply-v6'), 6), reply(0.05));
  for (const silent of ['iputils-silence', 'busybox-silence', 'busybox-ttl', 'busybox-not-permitted']) {
    assert.equal(parseSystemPing(fixture(silent), 4), undefined, silent);
  }
});

test('recorded ICMP errors of iputils get their type and code back', () => {
  const error = (from: string | null, icmpType: number | null, icmpCode: number | null, message: string) => ({
    from,
    icmpType,
    icmpCode,
    message,
  });
  assert.deepEqual(
    parseSystemPing(fixture('iputils-ttl'), 4),
    error('10.9.1.2', 11, 0, 'Time to live exceeded'),
  );
  assert.deepEqual(
    parseSystemPing(fixture('iputils-prohibit'), 4),
    error('10.9.1.2', 3, 13, 'Packet filtered'),
  );
  assert.deepEqual(
    parseSystemPing(fixture('iputils-no-route-v6'), 6),
    error('fd09:1::2', 1, 0, 'Destination unreachable: No route'),
  );
  assert.deepEqual(
    parseSystemPing(fixture('iputils-too-long'), 4),
    error(null, null, null, 'message too long, mtu=1500'),
  );
});

// Written from the systems' documentation; these systems were not at hand.
test('the dialects of macOS and Windows are understood', () => {
  assert.deepEqual(parseSystemPing('64 bytes from 192.0.2.1: icmp_seq=0 ttl=57 time=12.345 ms', 4), {
    timeMs: 12.345,
    bytes: 64,
    ttl: 57,
  });
  assert.deepEqual(parseSystemPing('16 bytes from ::1, icmp_seq=0 hlim=64 time=0.161 ms', 6), {
    timeMs: 0.161,
    bytes: 16,
    ttl: 64,
  });
  const macExpired =
    '36 bytes from 10.0.0.1: Time to live exceeded\nVr HL TOS  Len   ID Flg  off TTL Pro  cks';
  assert.deepEqual(parseSystemPing(macExpired, 4), {
    from: '10.0.0.1',
    icmpType: 11,
    icmpCode: 0,
    message: 'Time to live exceeded',
  });
  assert.deepEqual(parseSystemPing('Reply from 127.0.0.1: bytes=32 time<1ms TTL=128\r\n', 4), {
    timeMs: 0.5,
    bytes: 40,
    ttl: 128,
  });
  assert.deepEqual(parseSystemPing('Antwort von 192.0.2.1: Bytes=32 Zeit=13ms TTL=57', 4), {
    timeMs: 13,
    bytes: 40,
    ttl: 57,
  });
  assert.deepEqual(parseSystemPing('Reply from ::1: time=2ms', 6), { timeMs: 2, bytes: 8, ttl: null });
  assert.deepEqual(parseSystemPing('Reply from 10.0.0.1: TTL expired in transit.', 4), {
    from: '10.0.0.1',
    icmpType: 11,
    icmpCode: 0,
    message: 'Time to live exceeded',
  });
  assert.deepEqual(parseSystemPing('Reply from 10.0.0.2: Destination host unreachable.', 4), {
    from: '10.0.0.2',
    icmpType: 3,
    icmpCode: 1,
    message: 'Destination Host Unreachable',
  });
  assert.equal(parseSystemPing('Request timed out.', 4), undefined);
  assert.equal(parseSystemPing('Pinging 10.0.0.2 with 32 bytes of data:', 4), undefined);
});

test("each system's ping gets its own flags", () => {
  const target = { host: 'x', address: '192.0.2.1', family: 4 } as const;
  const options = { sizeBytes: 56, timeoutMs: 1500, ttl: 9 };
  const line = (system: NodeJS.Platform): string => commandFor(target, options, system).flat().join(' ');
  assert.equal(line('linux'), 'ping -4 -c 1 -W 2 -s 56 -t 9 192.0.2.1');
  assert.equal(line('darwin'), 'ping -n -c 1 -W 1500 -s 56 -m 9 192.0.2.1');
  assert.equal(line('win32'), 'ping -4 -n 1 -w 1500 -l 56 -i 9 192.0.2.1');
  const inet6 = { host: 'x', address: '::1', family: 6 } as const;
  assert.equal(commandFor(inet6, { sizeBytes: 8 }, 'darwin').flat().join(' '), 'ping6 -n -c 1 -s 8 ::1');
});
