import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import {
  createMetrics,
  type MetricsSnapshot,
  mergeSnapshots,
  renderMetrics,
  withoutGauges,
} from '../../../src/core/http/metrics.js';
import type { RequestEvent } from '../../../src/core/http/server-types.js';

const request = (fields: Partial<RequestEvent>): RequestEvent => ({
  type: 'request',
  time: '2026-01-01T00:00:00.000Z',
  method: 'GET',
  target: '/',
  scheme: 'http',
  httpVersion: '1.1',
  status: 200,
  bytes: 100,
  bytesIn: 0,
  durationMs: 2,
  queueMs: 0,
  handlerMs: 0,
  sendMs: 0,
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  host: null,
  userAgent: null,
  referer: null,
  ...fields,
});

function count(...events: Array<Partial<RequestEvent>>): MetricsSnapshot {
  const metrics = createMetrics({ connections: () => 3 });
  for (const event of events) metrics.onEvent(request(event));
  return metrics.snapshot();
}

/** The value of one sample. */
function sampleOf(text: string, sample: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}

test('requests are counted by method and status, durations in buckets that contain those below', () => {
  const text = renderMetrics(
    count({}, { durationMs: 30 }, { status: 404, bytes: 7 }, { method: 'POST', bytesIn: 9, aborted: true }),
  );
  assert.equal(sampleOf(text, 'nettool_http_requests_total{method="GET",status="200"}'), 2);
  assert.equal(sampleOf(text, 'nettool_http_requests_total{method="GET",status="404"}'), 1);
  assert.equal(sampleOf(text, 'nettool_http_requests_total{method="POST",status="200"}'), 1);
  const bucket = (le: string) => sampleOf(text, `nettool_http_request_duration_seconds_bucket{le="${le}"}`);
  assert.deepEqual(['0.001', '0.0025', '0.025', '0.05', '+Inf'].map(bucket), [0, 3, 3, 4, 4]);
  assert.equal(sampleOf(text, 'nettool_http_request_duration_seconds_count'), 4);
  assert.ok(Math.abs((sampleOf(text, 'nettool_http_request_duration_seconds_sum') ?? 0) - 0.036) < 1e-9);
  assert.equal(sampleOf(text, 'nettool_http_response_body_bytes_total'), 307);
  assert.equal(sampleOf(text, 'nettool_http_request_body_bytes_total'), 9);
  assert.equal(sampleOf(text, 'nettool_http_aborted_requests_total'), 1);
  assert.equal(sampleOf(text, 'nettool_connections'), 3);
});

test('methods that clients invent make one series', () => {
  const { requests } = count({ method: 'FOO"\n' }, { method: '__proto__' }, { method: 'BREW' }, {});
  assert.deepEqual(requests, { 'other 200': 3, 'GET 200': 1 });
});

test('a process says what it uses', () => {
  const text = renderMetrics(count());
  const started = sampleOf(text, 'process_start_time_seconds') ?? 0;
  assert.ok(Math.abs(started - (Date.now() / 1000 - process.uptime())) < 2);
  assert.ok((sampleOf(text, 'process_resident_memory_bytes') ?? 0) > 1e7);
  assert.ok((sampleOf(text, 'process_cpu_seconds_total') ?? 0) > 0);
  if (process.platform === 'linux') assert.ok((sampleOf(text, 'process_open_fds') ?? 0) > 2);
});

test('snapshots travel as JSON and add up; of a process that is gone the counts stay', () => {
  const travelled = JSON.parse(JSON.stringify(count({}, { status: 304 }))) as MetricsSnapshot;
  const merged = mergeSnapshots([travelled, count({ durationMs: 90_000 }), withoutGauges(count({}))]);
  assert.deepEqual(merged.requests, { 'GET 200': 3, 'GET 304': 1 });
  assert.equal(merged.durations.at(-1), 1);
  assert.equal(merged.connections, 6);
  assert.equal(merged.processes, 2);
  assert.equal(sampleOf(renderMetrics(merged), 'nettool_http_request_duration_seconds_count'), 4);
  assert.ok(merged.process.cpuSeconds >= travelled.process.cpuSeconds * 2);
});

test('promtool finds nothing to complain about', (t) => {
  const text = renderMetrics(count({}, { method: 'PUT', status: 201 }, { method: '"\\' }));
  const { error, status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { input: text });
  if (error !== undefined) {
    t.skip('promtool is not installed');
    return;
  }
  assert.equal(`${stdout}${stderr}`, '');
  assert.equal(status, 0);
});
