import { readProcessUsage } from '../platform/process-figures.js';
import type { ServedTimes } from './messages.js';
import {
  addValue,
  createHistogram,
  formatFamily,
  formatLabels,
  type Histogram,
  histogramSamples,
} from './prometheus.js';

/** Upper bounds of the histograms, in seconds: few, for there is one of each per application. */
const BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.25, 1, 5, 30];

/** What of a process that is gone stays in the sums. */
type Stay = 'stays' | 'goes';

const FAMILIES = {
  nettool_upstream_up: ['gauge', 'Whether an upstream is in the rotation.', 'goes'],
  nettool_worker_changes_total: ['counter', 'Workers that came into a state.', 'stays'],
  nettool_worker_resident_memory_bytes: ['gauge', 'Resident memory of a worker process.', 'goes'],
  nettool_worker_cpu_seconds_total: ['counter', 'User and system CPU time of a worker process.', 'goes'],
  nettool_application_errors_total: ['counter', 'Requests an application failed at.', 'stays'],
  nettool_application_workers: ['gauge', 'Workers that take requests.', 'goes'],
  nettool_application_queued_requests: ['gauge', 'Requests that wait for a worker.', 'goes'],
  nettool_application_active_requests: ['gauge', 'Requests that are with a worker.', 'goes'],
  nettool_application_wait_seconds: [
    'histogram',
    'Waiting until a worker, a script or an upstream connection was free.',
    'stays',
  ],
  nettool_application_duration_seconds: [
    'histogram',
    'A worker, a script or the application had a request; an upstream, until its answer began.',
    'stays',
  ],
} as const satisfies Record<string, readonly [type: string, help: string, Stay]>;

type Family = keyof typeof FAMILIES;

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

/** By family, and there by what a sample's name ends in and its labels: plain data that can be sent to another process. */
export type SiteSnapshot = { readonly [name in Family]?: Readonly<Record<string, number>> };

/** What an application that waits for workers can tell of itself. */
export interface ApplicationFigures {
  readonly prefix: string;
  /** Requests that wait for a worker now, and those that are with one. */
  readonly queued: number;
  readonly active: number;
  /** Of the workers that take requests. */
  readonly workerPids: readonly number[];
}

/** Any event of applications, upstreams and workers; what is of no interest here is passed over. */
export interface SiteMetricsEvent {
  readonly type: string;
  readonly state?: string;
  readonly url?: string;
  readonly handler?: string;
  readonly status?: number;
}

/** Counts what happens behind a server. */
export interface SiteMetrics {
  readonly onEvent: (event: SiteMetricsEvent) => void;
  /** Makes what takes the times of an application's requests. */
  tally(handler: string, prefix: string): (times: ServedTimes) => void;
  snapshot(applications: readonly ApplicationFigures[]): SiteSnapshot;
}

/** What {@link createSiteMetrics} is to know. */
export interface SiteMetricsOptions {
  /** Those that are taken for well until they are found wanting. */
  readonly upstreams?: readonly string[];
  /** This process, when it is a worker. */
  readonly ownPid?: number | undefined;
}

type Labels = Readonly<Record<string, string>>;

interface LabelledHistogram {
  readonly pairs: Labels;
  readonly histogram: Histogram;
}

/** Starts counting. */
export function createSiteMetrics({ upstreams = [], ownPid }: SiteMetricsOptions = {}): SiteMetrics {
  const isUp = new Map(upstreams.map((url) => [url, 1]));
  const changes = new Map<string, number>();
  const errors = new Map<string, number>();
  const waits: LabelledHistogram[] = [];
  const durations: LabelledHistogram[] = [];
  const add = (counts: Map<string, number>, pairs: Labels): void => {
    const key = formatLabels(pairs);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  return {
    onEvent({ type, state, url, handler = 'python', status }) {
      if (type === 'upstream' && url !== undefined) isUp.set(url, state === 'up' ? 1 : 0);
      else if (type === 'worker' && state !== undefined) add(changes, { state });
      else if (type === 'application-error') add(errors, { handler, status: String(status ?? 0) });
    },
    tally(handler, prefix) {
      const pairs = { handler, prefix: prefix || '/' };
      const wait = { pairs, histogram: createHistogram(BOUNDS) };
      const duration = { pairs, histogram: createHistogram(BOUNDS) };
      waits.push(wait);
      durations.push(duration);
      return ({ waitedMs, servedMs }) => {
        if (waitedMs !== undefined) addValue(wait.histogram, waitedMs / 1000);
        if (servedMs !== undefined) addValue(duration.histogram, servedMs / 1000);
      };
    },
    snapshot: (applications) => ({
      nettool_upstream_up: Object.fromEntries([...isUp].map(([url, up]) => [formatLabels({ url }), up])),
      nettool_worker_changes_total: Object.fromEntries(changes),
      ...usageOf(applications, ownPid),
      nettool_application_errors_total: Object.fromEntries(errors),
      nettool_application_workers: perPrefix(applications, ({ workerPids }) => workerPids.length),
      nettool_application_queued_requests: perPrefix(applications, ({ queued }) => queued),
      nettool_application_active_requests: perPrefix(applications, ({ active }) => active),
      nettool_application_wait_seconds: samplesOf(waits),
      nettool_application_duration_seconds: samplesOf(durations),
    }),
  };
}

/** What several processes have behind them, as if one had. */
export function mergeSites(sites: readonly SiteSnapshot[]): SiteSnapshot {
  const merged: { [name in Family]?: Record<string, number> } = {};
  for (const name of FAMILY_NAMES) {
    const sums: Record<string, number> = {};
    merged[name] = sums;
    for (const [key, value] of sites.flatMap((site) => Object.entries(site[name] ?? {}))) {
      // An upstream that one process has taken out is not well.
      if (name === 'nettool_upstream_up') sums[key] = Math.min(sums[key] ?? 1, value);
      else sums[key] = (sums[key] ?? 0) + value;
    }
  }
  return merged;
}

/** What stays of a process that is gone. */
export function lastingFigures(site: SiteSnapshot): SiteSnapshot {
  const lasting = FAMILY_NAMES.filter((name) => FAMILIES[name][2] === 'stays');
  return Object.fromEntries(lasting.map((name) => [name, site[name] ?? {}]));
}

/** Prometheus text, exposition format 0.0.4; empty when there is nothing behind the server. */
export function renderSite(site: SiteSnapshot): string {
  return FAMILY_NAMES.map((name) => {
    const [type, help] = FAMILIES[name];
    const samples = Object.entries(site[name] ?? {});
    return samples.length === 0 ? '' : formatFamily(name, type, help, samples);
  }).join('');
}

/** Of those that have counted anything: not every handler has somebody wait. */
function samplesOf(histograms: readonly LabelledHistogram[]): Record<string, number> {
  const used = histograms.filter(({ histogram }) => histogram.counts.some((count) => count > 0));
  return Object.fromEntries(used.flatMap(({ histogram, pairs }) => histogramSamples(histogram, pairs)));
}

function perPrefix(
  applications: readonly ApplicationFigures[],
  pick: (figures: ApplicationFigures) => number,
): Record<string, number> {
  return Object.fromEntries(
    applications.map((figures) => [formatLabels({ prefix: figures.prefix || '/' }), pick(figures)]),
  );
}

/** What worker processes use, where the system tells. */
function usageOf(applications: readonly ApplicationFigures[], ownPid: number | undefined): SiteSnapshot {
  const memory: Record<string, number> = {};
  const time: Record<string, number> = {};
  const look = (program: string, pid: number): void => {
    const usage = readProcessUsage(pid);
    if (usage === undefined) return;
    const labels = formatLabels({ program, pid: String(pid) });
    memory[labels] = usage.residentBytes;
    time[labels] = usage.cpuSeconds;
  };
  for (const { workerPids } of applications) for (const pid of workerPids) look('python', pid);
  if (ownPid !== undefined) look('nettool', ownPid);
  return { nettool_worker_resident_memory_bytes: memory, nettool_worker_cpu_seconds_total: time };
}
