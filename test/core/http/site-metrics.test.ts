import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import {
  createSiteMetrics,
  lastingFigures,
  mergeSites,
  renderSite,
  type SiteSnapshot,
} from '../../../src/core/http/site-metrics.js';
import { needs } from '../../helpers/programs.js';

const APPLICATION = { prefix: '', queued: 1, active: 2, workerPids: [process.pid] };

/** What a process tells whose application has served two requests and failed at one. */
function figures(): SiteSnapshot {
  const metrics = createSiteMetrics({ upstreams: ['http://a', 'http://b'], ownPid: process.pid });
  const tally = metrics.tally('python', '');
  tally({ waitedMs: 2, servedMs: 40 });
  tally({ waitedMs: undefined, servedMs: 90_000 });
  metrics.tally('js', '/js"');
  metrics.onEvent({ type: 'worker', state: 'ready' });
  metrics.onEvent({ type: 'application-error', handler: 'js', status: 500 });
  metrics.onEvent({ type: 'upstream', url: 'http://b', state: 'down' });
  return metrics.snapshot([APPLICATION]);
}

test('times of an application are counted in buckets that contain those below', () => {
  const { nettool_application_wait_seconds: waits, nettool_application_duration_seconds: durations } =
    figures();
  const of = (family: typeof waits, ending: string, le = '') =>
    family?.[`_${ending}{handler="python",prefix="/"${le}}`];
  assert.equal(of(waits, 'count'), 1);
  assert.equal(of(waits, 'sum'), 0.002);
  assert.deepEqual(
    ['0.025', '0.1', '30', '+Inf'].map((le) => of(durations, 'bucket', `,le="${le}"`)),
    [0, 1, 1, 2],
  );
  assert.equal(of(durations, 'count'), 2);
  // What has counted nothing is left out.
  assert.equal(Object.keys(durations ?? {}).filter((key) => key.includes('js')).length, 0);
});

test('figures of several processes add up, and an upstream is up when it is for all', () => {
  const travelled = JSON.parse(JSON.stringify(figures())) as SiteSnapshot;
  const other = createSiteMetrics({ upstreams: ['http://a', 'http://b'] });
  other.onEvent({ type: 'worker', state: 'died' });
  const merged = mergeSites([other.snapshot([]), travelled, lastingFigures(figures())]);
  assert.deepEqual(merged.nettool_upstream_up, { '{url="http://a"}': 1, '{url="http://b"}': 0 });
  assert.deepEqual(merged.nettool_worker_changes_total, { '{state="died"}': 1, '{state="ready"}': 2 });
  assert.deepEqual(merged.nettool_application_active_requests, { '{prefix="/"}': 2 });
  assert.deepEqual(merged.nettool_application_errors_total, { '{handler="js",status="500"}': 2 });
  const { nettool_application_duration_seconds: durations } = merged;
  assert.equal(durations?.['_bucket{handler="python",prefix="/",le="0.1"}'], 2);
  assert.equal(durations?.['_count{handler="python",prefix="/"}'], 4);
});

test('a process that is gone leaves its sums, and nothing of what it was', () => {
  const left = Object.keys(lastingFigures(figures()));
  assert.deepEqual(left, [
    'nettool_worker_changes_total',
    'nettool_application_errors_total',
    'nettool_application_wait_seconds',
    'nettool_application_duration_seconds',
  ]);
});

test('worker processes tell what they use where the system has files that say so', {
  skip: process.platform !== 'linux',
}, () => {
  const { nettool_worker_resident_memory_bytes: memory, nettool_worker_cpu_seconds_total: time } = figures();
  const labels = `{program="nettool",pid="${process.pid}"}`;
  const rss = process.memoryUsage.rss();
  assert.ok(Math.abs((memory?.[labels] ?? 0) - rss) < rss / 2);
  const { user, system } = process.cpuUsage();
  assert.ok(Math.abs((time?.[labels] ?? 0) - (user + system) / 1e6) < 0.5);
});

test('a worker that is gone, or a system that does not tell, has no figures of its own', () => {
  const { nettool_worker_resident_memory_bytes: memory } = createSiteMetrics().snapshot([
    { ...APPLICATION, workerPids: [2 ** 30] },
  ]);
  assert.deepEqual(memory, {});
  assert.equal(renderSite(createSiteMetrics().snapshot([])), '');
});

test('promtool finds nothing to complain about', needs('promtool'), () => {
  const input = renderSite(mergeSites([figures(), figures()]));
  const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { input });
  assert.equal(`${stdout}${stderr}`, '');
  assert.equal(status, 0);
});
