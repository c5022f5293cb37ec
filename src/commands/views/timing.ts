import type { ClientResponse, Timings } from '../../core/http/client.js';

/** A request whose times are told. */
export interface TimedExchange {
  readonly url: URL;
  readonly head: { readonly method: string };
  readonly response?: ClientResponse | undefined;
}

const STEPS: ReadonlyArray<readonly [title: string, read: (timings: Timings) => number | null]> = [
  ['dns', ({ dnsMs }) => dnsMs],
  ['tcp', ({ dnsMs, connectMs }) => connectMs - dnsMs],
  ['tls', ({ connectMs, tlsMs }) => (tlsMs === null ? null : tlsMs - connectMs)],
  ['wait', ({ connectMs, tlsMs, firstByteMs }) => firstByteMs - (tlsMs ?? connectMs)],
  ['transfer', ({ firstByteMs, totalMs }) => (totalMs === null ? null : totalMs - firstByteMs)],
  ['total', ({ totalMs }) => totalMs],
];

/** A table with a row per request: how long each step took, in milliseconds. */
export function viewTimings(exchanges: readonly TimedExchange[]): string {
  const rows = exchanges.flatMap(({ url, head, response }) => {
    if (response === undefined) return [];
    const times = STEPS.map(([, read]) => formatMs(read(response.timings)));
    return [[...times, `${response.status} ${head.method} ${url.origin}${url.pathname}`]];
  });
  const table = [[...STEPS.map(([title]) => title), 'request (times in ms)'], ...rows];
  const widths = STEPS.map((_, column) => Math.max(...table.map((row) => (row[column] as string).length)));
  return table
    .map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '))
    .join('\n');
}

function formatMs(ms: number | null): string {
  return ms === null ? '-' : Math.max(0, ms).toFixed(1);
}
