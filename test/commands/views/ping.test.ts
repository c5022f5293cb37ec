import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStyle } from '../../../src/commands/output/style.js';
import {
  formatTime,
  isLocalError,
  type PingViewSettings,
  viewFlood,
  viewPing,
  viewSummaryTable,
} from '../../../src/commands/views/ping.js';
import { createPingGraph, drawBars } from '../../../src/commands/views/ping-graph.js';
import type { PingEvent, ReplyEvent, SummaryEvent } from '../../../src/core/ping/types.js';

const style = createStyle({ isTTY: false, color: 'never', env: {} });
const settings: PingViewSettings = {
  quiet: false,
  verbose: false,
  timestamps: false,
  audible: false,
  paced: false,
  broadcast: false,
  connects: false,
  many: false,
  names: new Map(),
};
const view = (event: PingEvent, other: Partial<PingViewSettings> = {}): string | undefined =>
  viewPing(event, style, { ...settings, ...other });

const reply: ReplyEvent = {
  type: 'reply',
  host: '192.0.2.1',
  address: '192.0.2.1',
  seq: 1,
  ttl: 64,
  bytes: 64,
  timeMs: 0.042,
  duplicate: false,
  at: '2026-01-02T03:04:05.123456Z',
};
const summary: SummaryEvent = {
  type: 'summary',
  host: 'example.org',
  address: '192.0.2.1',
  method: 'icmp-dgram',
  sizeBytes: 56,
  transmitted: 4,
  received: 3,
  duplicates: 1,
  corrupted: 0,
  wrongData: 0,
  outOfOrder: 0,
  errors: 0,
  lossPercent: 25,
  lossBursts: 1,
  longestLossBurst: 1,
  durationMs: 3004,
  minMs: 0.014,
  avgMs: 0.022,
  maxMs: 0.033,
  mdevMs: 0.007,
  p50Ms: 0.02,
  p95Ms: 0.032,
  p99Ms: 0.033,
  jitterMs: 0.001,
  ewmaMs: 0.02,
  ipgMs: 1001.5,
  pipe: 1,
};

test('times have as many decimals as iputils gives them', () => {
  const table: ReadonlyArray<readonly [ms: number, text: string]> = [
    [0, '0.000'],
    [0.042, '0.042'],
    [0.9999, '1.00'],
    [1.234, '1.23'],
    [9.994, '9.99'],
    [9.995, '10.0'],
    [12.34, '12.3'],
    [99.94, '99.9'],
    [99.95, '100'],
    [1234.5, '1235'],
  ];
  for (const [ms, text] of table) assert.equal(formatTime(ms), text, String(ms));
});

test('a reply is worded with its marks, name, time stamp and bell', () => {
  assert.equal(view(reply), '64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=0.042 ms');
  const names = new Map([['192.0.2.1', 'example.org']]);
  assert.match(view(reply, { names }) ?? '', /^64 bytes from example\.org \(192\.0\.2\.1\): /);
  assert.match(view({ ...reply, duplicate: true }) ?? '', /time=0\.042 ms \(DUP!\)$/);
  assert.match(view({ ...reply, badChecksum: true }) ?? '', /\(BAD CHECKSUM!\)$/);
  assert.match(view({ ...reply, outOfOrder: true }) ?? '', /\(OUT OF ORDER!\)$/);
  assert.match(view({ ...reply, from: '192.0.2.9' }) ?? '', /from 192\.0\.2\.9: .*\(DIFFERENT ADDRESS!\)$/);
  assert.doesNotMatch(view({ ...reply, from: '192.0.2.9' }, { broadcast: true }) ?? '', /DIFFERENT/);
  assert.match(view(reply, { timestamps: true }) ?? '', /^\[1767323045\.123456\] 64 bytes/);
  assert.match(view(reply, { audible: true }) ?? '', /\u0007$/);
  assert.equal(
    view({ ...reply, truncated: true, bytes: 32 }),
    '32 bytes from 192.0.2.1: icmp_seq=1 ttl=64 (truncated)',
  );
  assert.equal(view({ ...reply, bytes: 16 }), '16 bytes from 192.0.2.1: icmp_seq=1 ttl=64');
  assert.match(view({ ...reply, seq: 65_537 }) ?? '', /icmp_seq=1 /);
  assert.equal(view(reply, { quiet: true }), undefined);
});

test('a changed payload is dumped as iputils dumps it', () => {
  const payload = Buffer.from(Array.from({ length: 56 }, (_, i) => i));
  payload[32] = 0xdf;
  const wrongData = { offset: 32, expected: 0x20, actual: 0xdf, payloadHex: payload.toString('hex') };
  const lines = view({ ...reply, wrongData })?.split('\n') ?? [];
  assert.equal(lines[1], 'wrong data byte #32 should be 0x20 but was 0xdf');
  assert.match(lines[2] ?? '', /^#16\t10 11 12 .* 1f df 21 .* 2f $/);
  assert.equal(lines[3], '#48\t30 31 32 33 34 35 36 37 ');
});

test('the summary has the parts iputils has, when it has them', () => {
  assert.equal(
    view(summary),
    `
--- example.org ping statistics ---
4 packets transmitted, 3 received, +1 duplicates, 25% packet loss, time 3004ms
rtt min/avg/max/mdev = 0.014/0.022/0.033/0.007 ms`,
  );
  assert.match(view({ ...summary, pipe: 3 }) ?? '', / ms, pipe 3$/);
  assert.match(view(summary, { paced: true }) ?? '', / ms, ipg\/ewma 1001\.500\/0\.020 ms$/);
  const none = { ...summary, received: 0, errors: 4, duplicates: 0, lossPercent: 100, pipe: 2 };
  assert.match(
    view(none) ?? '',
    /4 packets transmitted, 0 received, \+4 errors, 100% packet loss, time 3004ms\npipe 2$/,
  );
  assert.match(
    view(summary, { verbose: true }) ?? '',
    /\nmedian\/p95\/p99\/jitter = .*, 1 loss bursts \(longest 1\)$/,
  );
});

test('headers tell what is sent from where', () => {
  const start = {
    type: 'start' as const,
    host: 'localhost',
    address: '127.0.0.1',
    method: 'icmp-raw' as const,
    family: 4 as const,
    sizeBytes: 56,
    source: '127.0.0.1',
  };
  assert.equal(view(start), 'PING localhost (127.0.0.1) 56(84) bytes of data.');
  assert.equal(
    view(start, { interfaceName: 'lo' }),
    'PING localhost (127.0.0.1) from 127.0.0.1 lo: 56(84) bytes of data.',
  );
  assert.equal(view({ ...start, family: 6, address: '::1' }), 'PING localhost(::1) 56 data bytes');
  assert.equal(view({ ...start, method: 'tcp', port: 443 }), 'TCP PING localhost (127.0.0.1) port 443');
});

test("errors of routers are data, this system's own are talk", () => {
  const error = {
    type: 'probe-error' as const,
    host: 'h',
    address: '192.0.2.1',
    seq: 3,
    from: '10.0.0.1',
    icmpType: 11,
    icmpCode: 0,
    message: 'Time to live exceeded',
    at: reply.at,
  };
  assert.equal(view(error), 'From 10.0.0.1 icmp_seq=3 Time to live exceeded');
  assert.equal(isLocalError(error), false);
  const local = {
    ...error,
    from: null,
    icmpType: null,
    icmpCode: null,
    message: 'message too long, mtu=1500',
    mtu: 1500,
  };
  assert.equal(view(local), 'ping: local error: message too long, mtu=1500');
  assert.equal(isLocalError(local), true);
});

test('a flood draws dots that replies take back', () => {
  const sent: PingEvent = { type: 'sent', host: 'h', address: 'a', seq: 1 };
  assert.equal(viewFlood(sent), '.');
  assert.equal(viewFlood(reply), '\b \b');
  assert.equal(viewFlood({ ...reply, badChecksum: true }), '\bC');
});

test('several hosts end in one table', () => {
  const dead = {
    ...summary,
    host: '192.0.2.9',
    address: '192.0.2.9',
    received: 0,
    lossPercent: 100,
    minMs: null,
  };
  const lines = viewSummaryTable([summary, dead], style).split('\n');
  assert.match(lines[1] ?? '', /^host +sent +recv +loss +min/);
  assert.match(lines[2] ?? '', /^example\.org \(192\.0\.2\.1\) +4 +3 +25% +0\.014/);
  assert.match(lines[3] ?? '', /^192\.0\.2\.9 +4 +0 +100% +-/);
});

test('bars are drawn in eighths, a lost probe as a dot', () => {
  assert.deepEqual(drawBars([8, 4, null, undefined, 1], { max: 8, rows: 1 }), ['█▄· ▁']);
  assert.deepEqual(drawBars([16, 8, 4], { max: 16, rows: 2 }), ['█', '██▄']);
});

test('a graph grows by events and fits its width', () => {
  const graph = createPingGraph();
  graph.add({ type: 'start', host: 'h', address: 'h', method: 'tcp', family: 4, sizeBytes: 0, source: null });
  for (let seq = 1; seq <= 300; seq++) graph.add({ ...reply, host: 'h', address: 'h', seq, timeMs: seq });
  graph.add({ type: 'timeout', host: 'h', address: 'h', seq: 301, at: reply.at });
  const lines = graph.draw(style, { columns: 40, rows: 24 });
  assert.match(lines[0] ?? '', /^h {2}last 300 ms, max 300 ms {2}0\.3% loss of 301$/);
  assert.equal(lines.length, 9);
  assert.ok(lines.slice(1).every((line) => line.length <= 40));
  assert.ok(lines.at(-1)?.endsWith('·'));
});
