import { type ProcessFigures, readProcessFigures } from '../platform/process-figures.js';
import {
  addValue,
  createHistogram,
  formatFamily,
  formatLabels,
  histogramSamples,
  type Sample,
} from './prometheus.js';
import type { RequestEvent, ServerEvent } from './server-types.js';
import { lastingFigures, mergeSites, renderSite, type SiteSnapshot } from './site-metrics.js';

/** The media type of {@link renderMetrics}. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Upper bounds of the duration histogram, in seconds: from a cached file to an upload over a slow line. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Any client can invent methods; each would be a time series. */
const METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'PROPFIND',
  'REPORT',
]);

/** What has been counted so far: plain data that can be sent to another process. */
export interface MetricsSnapshot {
  /** By `METHOD status`. */
  readonly requests: Readonly<Record<string, number>>;
  /** Requests per bucket of {@link BOUNDS}, and one more for those that took longer. */
  readonly durations: readonly number[];
  readonly durationSeconds: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Answers that did not arrive whole. */
  readonly aborted: number;
  /** Open now. */
  readonly connections: number;
  readonly processes: number;
  readonly process: ProcessFigures;
  /** What stands behind the server. */
  readonly site?: SiteSnapshot;
}

/** Counts the requests of one process. */
export interface Metrics {
  /** Takes what a server says. */
  readonly onEvent: (event: ServerEvent) => void;
  snapshot(): MetricsSnapshot;
}

/** What of a process is asked for when its figures are. */
export interface MetricsSources {
  /** How many connections are open. */
  readonly connections?: () => number;
  readonly site?: () => SiteSnapshot;
}

/** Starts counting. */
export function createMetrics({ connections = () => 0, site }: MetricsSources = {}): Metrics {
  const requests = new Map<string, number>();
  const durations = createHistogram(BOUNDS);
  const sums = { sentBytes: 0, receivedBytes: 0, aborted: 0 };
  const count = (event: RequestEvent): void => {
    const method = METHODS.has(event.method) ? event.method : 'other';
    const key = `${method} ${event.status}`;
    requests.set(key, (requests.get(key) ?? 0) + 1);
    addValue(durations, event.durationMs / 1000);
    sums.sentBytes += event.bytes;
    sums.receivedBytes += event.bytesIn;
    if (event.aborted === true) sums.aborted += 1;
  };
  return {
    onEvent(event) {
      if (event.type === 'request') count(event);
    },
    snapshot: () => ({
      requests: Object.fromEntries(requests),
      durations: [...durations.counts],
      durationSeconds: durations.sum,
      ...sums,
      connections: connections(),
      processes: 1,
      process: readProcessFigures(),
      ...(site !== undefined && { site: site() }),
    }),
  };
}

/** What several processes have counted, as if one had. */
export function mergeSnapshots(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  const sum = (pick: (snapshot: MetricsSnapshot) => number): number =>
    snapshots.reduce((total, snapshot) => total + pick(snapshot), 0);
  const requests: Record<string, number> = {};
  for (const snapshot of snapshots) {
    for (const [key, count] of Object.entries(snapshot.requests))
      requests[key] = (requests[key] ?? 0) + count;
  }
  const knowsFds = snapshots.some(({ process }) => process.openFds !== undefined);
  return {
    requests,
    durations: [...BOUNDS, 0].map((_, index) => sum(({ durations }) => durations[index] ?? 0)),
    durationSeconds: sum((snapshot) => snapshot.durationSeconds),
    sentBytes: sum((snapshot) => snapshot.sentBytes),
    receivedBytes: sum((snapshot) => snapshot.receivedBytes),
    aborted: sum((snapshot) => snapshot.aborted),
    connections: sum((snapshot) => snapshot.connections),
    processes: sum((snapshot) => snapshot.processes),
    process: {
      startTimeSeconds: Math.min(...snapshots.map(({ process }) => process.startTimeSeconds)),
      cpuSeconds: sum(({ process }) => process.cpuSeconds),
      residentBytes: sum(({ process }) => process.residentBytes),
      ...(knowsFds && { openFds: sum(({ process }) => process.openFds ?? 0) }),
    },
    site: mergeSites(snapshots.map(({ site = {} }) => site)),
  };
}

/** What stays of a process that is gone: its counts, or sums would fall; not what it held. */
export function withoutGauges(snapshot: MetricsSnapshot): MetricsSnapshot {
  const { startTimeSeconds, cpuSeconds } = snapshot.process;
  return {
    ...snapshot,
    connections: 0,
    processes: 0,
    process: { startTimeSeconds, cpuSeconds, residentBytes: 0 },
    site: lastingFigures(snapshot.site ?? {}),
  };
}

/** Prometheus text, exposition format 0.0.4. */
export function renderMetrics(snapshot: MetricsSnapshot): string {
  const { process } = snapshot;
  const families = [
    formatFamily('nettool_http_requests_total', 'counter', 'Requests answered.', requestSamples(snapshot)),
    formatFamily(
      'nettool_http_request_duration_seconds',
      'histogram',
      'From the first byte of a request to the last of its answer.',
      histogramSamples({
        bounds: BOUNDS,
        counts: [...snapshot.durations],
        sum: snapshot.durationSeconds,
      }),
    ),
    formatFamily('nettool_http_response_body_bytes_total', 'counter', 'Bytes of bodies sent.', [
      ['', snapshot.sentBytes],
    ]),
    formatFamily('nettool_http_request_body_bytes_total', 'counter', 'Bytes of bodies received.', [
      ['', snapshot.receivedBytes],
    ]),
    formatFamily('nettool_http_aborted_requests_total', 'counter', 'Answers that did not arrive whole.', [
      ['', snapshot.aborted],
    ]),
    formatFamily('nettool_connections', 'gauge', 'Connections open now.', [['', snapshot.connections]]),
    formatFamily('nettool_processes', 'gauge', 'Processes of this server.', [['', snapshot.processes]]),
    formatFamily('process_start_time_seconds', 'gauge', 'When the first process started, in Unix time.', [
      ['', process.startTimeSeconds],
    ]),
    formatFamily('process_cpu_seconds_total', 'counter', 'User and system CPU time of all processes.', [
      ['', process.cpuSeconds],
    ]),
    formatFamily('process_resident_memory_bytes', 'gauge', 'Resident memory of all processes.', [
      ['', process.residentBytes],
    ]),
  ];
  if (process.openFds !== undefined) {
    families.push(
      formatFamily('process_open_fds', 'gauge', 'Open file descriptors of all processes.', [
        ['', process.openFds],
      ]),
    );
  }
  return families.join('') + renderSite(snapshot.site ?? {});
}

function requestSamples({ requests }: MetricsSnapshot): Sample[] {
  return Object.entries(requests)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, count]) => {
      const [method = '', status = ''] = key.split(' ');
      return [formatLabels({ method, status }), count];
    });
}
