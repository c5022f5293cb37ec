/** A line of a family: what its name ends in and its labels in braces, or nothing, and its value. */
export type Sample = readonly [ending: string, value: number];

/** One metric with its help, type and samples: Prometheus text, exposition format 0.0.4. */
export function formatFamily(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([ending, value]) => `${name}${ending} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

/** Labels in braces; nothing when there are none. */
export function formatLabels(pairs: Readonly<Record<string, string>>): string {
  const quote = (text: string): string => text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n');
  const labels = Object.entries(pairs).map(([name, value]) => `${name}="${quote(value)}"`);
  return labels.length === 0 ? '' : `{${labels.join(',')}}`;
}

/** How many values lie at or below which bound; plain data, so that it can be sent to another process. */
export interface Histogram {
  readonly bounds: readonly number[];
  /** Per bound those above the bound before it, and one more for what is above all. */
  readonly counts: number[];
  sum: number;
}

/** A histogram of nothing yet. */
export function createHistogram(bounds: readonly number[]): Histogram {
  return { bounds, counts: bounds.map(() => 0).concat(0), sum: 0 };
}

/** Counts a value. */
export function addValue(histogram: Histogram, value: number): void {
  const { bounds, counts } = histogram;
  let at = 0;
  while (at < bounds.length && value > (bounds[at] as number)) at += 1;
  counts[at] = (counts[at] ?? 0) + 1;
  histogram.sum += value;
}

/** The samples of a histogram. Its buckets contain those below them. */
export function histogramSamples(
  { bounds, counts, sum }: Histogram,
  pairs: Readonly<Record<string, string>> = {},
): Sample[] {
  let below = 0;
  const buckets = [...bounds, '+Inf'].map((bound, index): Sample => {
    below += counts[index] ?? 0;
    return [`_bucket${formatLabels({ ...pairs, le: String(bound) })}`, below];
  });
  const labels = formatLabels(pairs);
  return [...buckets, [`_sum${labels}`, sum], [`_count${labels}`, below]];
}
