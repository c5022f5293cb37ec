import { formatFamily, type Sample } from './metrics.js';

/** What an application that waits for workers can tell of itself. */
export interface ApplicationFigures {
  readonly prefix: string;
  /** Requests that wait for a worker now, and those that are with one. */
  readonly queued: number;
  readonly active: number;
  /** Requests workers have finished, and how long those sent have waited, since the start. */
  readonly served: number;
  readonly waitedMs: number;
  /** How long workers have had what they have finished. */
  readonly workerMs: number;
  readonly workers: number;
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
  /** Prometheus text, exposition format 0.0.4; empty when there is nothing behind the server. */
  render(applications: readonly ApplicationFigures[]): string;
}

/** Starts counting; `upstreams` are those that are taken for well until they are found wanting. */
export function createSiteMetrics(upstreams: readonly string[]): SiteMetrics {
  const isUp = new Map(upstreams.map((url) => [url, 1]));
  const workers = new Map<string, number>();
  const errors = new Map<string, number>();
  const add = (counts: Map<string, number>, key: string): void =>
    void counts.set(key, (counts.get(key) ?? 0) + 1);
  return {
    onEvent({ type, state, url, handler = 'python', status }) {
      if (type === 'upstream' && url !== undefined) isUp.set(url, state === 'up' ? 1 : 0);
      else if (type === 'worker' && state !== undefined) add(workers, labels({ state }));
      else if (type === 'application-error') add(errors, labels({ handler, status: String(status ?? 0) }));
    },
    render(applications) {
      const each = (pick: (figures: ApplicationFigures) => number): Sample[] =>
        applications.map((figures) => [labels({ prefix: figures.prefix || '/' }), pick(figures)]);
      const families: ReadonlyArray<readonly [string, string, string, readonly Sample[]]> = [
        [
          'nettool_upstream_up',
          'gauge',
          'Whether an upstream is in the rotation.',
          [...isUp].map(([url, up]) => [labels({ url }), up]),
        ],
        ['nettool_worker_changes_total', 'counter', 'Workers that came into a state.', [...workers]],
        ['nettool_application_errors_total', 'counter', 'Requests an application failed at.', [...errors]],
        [
          'nettool_application_workers',
          'gauge',
          'Workers that take requests.',
          each((figures) => figures.workers),
        ],
        [
          'nettool_application_queued_requests',
          'gauge',
          'Requests that wait for a worker.',
          each((figures) => figures.queued),
        ],
        [
          'nettool_application_active_requests',
          'gauge',
          'Requests that are with a worker.',
          each((figures) => figures.active),
        ],
        [
          'nettool_application_requests_total',
          'counter',
          'Requests workers have finished.',
          each((figures) => figures.served),
        ],
        [
          'nettool_application_wait_seconds_total',
          'counter',
          'Time requests have waited for a worker.',
          each((figures) => figures.waitedMs / 1000),
        ],
        [
          'nettool_application_worker_seconds_total',
          'counter',
          'Time workers have had the requests they have finished.',
          each((figures) => figures.workerMs / 1000),
        ],
      ];
      return families
        .filter(([, , , samples]) => samples.length > 0)
        .map(([name, type, help, samples]) => formatFamily(name, type, help, samples))
        .join('');
    },
  };
}

function labels(pairs: Readonly<Record<string, string>>): string {
  const quote = (text: string): string => text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n');
  return `{${Object.entries(pairs)
    .map(([name, value]) => `${name}="${quote(value)}"`)
    .join(',')}}`;
}
