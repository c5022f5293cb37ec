import type { PingSummary } from './types.js';

/** Beyond this many round-trip times percentiles come from a uniform sample of them. */
const MAX_SAMPLES = 100_000;

/** Adds up one host's probes. Times go in and are kept as whole microseconds, as iputils does. */
export interface Statistics {
  sent(nowMs: number): void;
  /** A reply that counts; `inFlight` is how many probes were on their way when it came. */
  reply(seq: number, timeMs: number): void;
  duplicate(timeMs: number): void;
  corrupted(): void;
  wrongData(): void;
  error(): void;
  /** A probe is settled while this many are on their way, itself among them. */
  settled(inFlight: number): void;
  readonly transmitted: number;
  readonly received: number;
  readonly maxMs: number;
  readonly ewmaMs: number | undefined;
  /** Whether the last reply had a smaller number than one before. */
  isOutOfOrder(seq: number): boolean;
  summary(): PingSummary;
}

/** Empty {@link Statistics}. */
export function createStatistics(): Statistics {
  const count = {
    transmitted: 0,
    received: 0,
    duplicates: 0,
    corrupted: 0,
    wrongData: 0,
    outOfOrder: 0,
    errors: 0,
  };
  const times = createTimes();
  const losses = createLossRuns();
  let highestSeq = 0;
  let pipe = 0;
  let firstMs: number | undefined;
  let lastMs = 0;
  return {
    sent(nowMs) {
      count.transmitted++;
      firstMs ??= nowMs;
      lastMs = nowMs;
    },
    reply(seq, timeMs) {
      count.received++;
      if (seq < highestSeq) count.outOfOrder++;
      highestSeq = Math.max(highestSeq, seq);
      losses.answered(seq);
      times.add(timeMs);
    },
    duplicate(timeMs) {
      count.duplicates++;
      times.add(timeMs);
    },
    corrupted: () => void count.corrupted++,
    wrongData: () => void count.wrongData++,
    error: () => void count.errors++,
    settled(inFlight) {
      pipe = Math.max(pipe, inFlight);
    },
    get transmitted() {
      return count.transmitted;
    },
    get received() {
      return count.received;
    },
    get maxMs() {
      return times.maxUs / 1000;
    },
    get ewmaMs() {
      return times.ewmaMs();
    },
    isOutOfOrder: (seq) => seq < highestSeq,
    summary() {
      const { transmitted, received } = count;
      const lossPercent = transmitted === 0 ? 0 : ((transmitted - received) * 100) / transmitted;
      return {
        ...count,
        lossPercent: Number(lossPercent.toPrecision(6)),
        ...losses.summary(transmitted),
        durationMs: Math.round(lastMs - (firstMs ?? lastMs)),
        ...times.summary(),
        ipgMs:
          transmitted > 1
            ? Math.trunc(((lastMs - (firstMs ?? lastMs)) * 1000) / (transmitted - 1)) / 1000
            : null,
        pipe,
      };
    },
  };
}

/** Minimum, mean, deviation, percentiles and jitter of round-trip times. */
function createTimes() {
  const samples: number[] = [];
  let n = 0;
  let sum = 0n;
  let sumOfSquares = 0n;
  let minUs = Number.POSITIVE_INFINITY;
  let maxUs = 0;
  let ewma8 = 0;
  let jitterUs = 0;
  let previousUs: number | undefined;
  return {
    get maxUs() {
      return maxUs;
    },
    ewmaMs: () => (n === 0 ? undefined : Math.trunc(ewma8 / 8) / 1000),
    add(timeMs: number): void {
      const us = Math.round(timeMs * 1000);
      n++;
      sum += BigInt(us);
      sumOfSquares += BigInt(us) * BigInt(us);
      minUs = Math.min(minUs, us);
      maxUs = Math.max(maxUs, us);
      ewma8 = ewma8 === 0 ? us * 8 : ewma8 + us - Math.trunc(ewma8 / 8);
      // RFC 3550 section 6.4.1: the difference in transit of two packets is that of their round trips.
      if (previousUs !== undefined) jitterUs += (Math.abs(us - previousUs) - jitterUs) / 16;
      previousUs = us;
      keepSample(samples, us, n);
    },
    summary() {
      if (n === 0) return NO_TIMES;
      const count = BigInt(n);
      const sorted = samples.toSorted((a, b) => a - b);
      return {
        minMs: minUs / 1000,
        avgMs: Number(sum / count) / 1000,
        maxMs: maxUs / 1000,
        mdevMs: deviationUs(count, sum, sumOfSquares) / 1000,
        p50Ms: percentile(sorted, 50) / 1000,
        p95Ms: percentile(sorted, 95) / 1000,
        p99Ms: percentile(sorted, 99) / 1000,
        jitterMs: Math.round(jitterUs) / 1000,
        ewmaMs: Math.trunc(ewma8 / 8) / 1000,
      };
    },
  };
}

const NO_TIMES = {
  minMs: null,
  avgMs: null,
  maxMs: null,
  mdevMs: null,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  jitterMs: null,
  ewmaMs: null,
};

/** Reservoir sampling (Vitter's algorithm R): every time seen has the same chance to be kept. */
function keepSample(samples: number[], us: number, seen: number): void {
  if (samples.length < MAX_SAMPLES) {
    samples.push(us);
    return;
  }
  const slot = Math.floor(Math.random() * seen);
  if (slot < MAX_SAMPLES) samples[slot] = us;
}

/** iputils' mdev: the population standard deviation in whole microseconds, rounded down. */
function deviationUs(n: bigint, sum: bigint, sumOfSquares: bigint): number {
  const small = sum < 2n ** 31n;
  const variance = small ? (sumOfSquares - (sum * sum) / n) / n : sumOfSquares / n - (sum / n) ** 2n;
  return Math.floor(Math.sqrt(Number(variance)));
}

/** A percentile of sorted values, interpolated between neighbours; the 50th is the median. */
export function percentile(sorted: readonly number[], percent: number): number {
  const position = ((sorted.length - 1) * percent) / 100;
  const low = sorted[Math.floor(position)] ?? 0;
  const high = sorted[Math.ceil(position)] ?? low;
  return Math.round(low + (high - low) * (position - Math.floor(position)));
}

/** Which runs of probes stayed without a reply: keeps the answered ones as ranges, so memory follows the losses. */
function createLossRuns() {
  const answered: Array<[first: number, last: number]> = [];
  return {
    answered(seq: number): void {
      let index = answered.length;
      while (index > 0 && (answered[index - 1] as [number, number])[0] > seq) index--;
      const before = answered[index - 1];
      const after = answered[index];
      if (before !== undefined && seq <= before[1]) return;
      const joinsBefore = before !== undefined && before[1] + 1 === seq;
      const joinsAfter = after !== undefined && seq + 1 === after[0];
      if (joinsBefore && joinsAfter) {
        before[1] = after[1];
        answered.splice(index, 1);
      } else if (joinsBefore) before[1] = seq;
      else if (joinsAfter) after[0] = seq;
      else answered.splice(index, 0, [seq, seq]);
    },
    summary(transmitted: number): { lossBursts: number; longestLossBurst: number } {
      const gaps = [...answered, [transmitted + 1, 0] as const].map(
        ([first], index) => first - 1 - (answered[index - 1]?.[1] ?? 0),
      );
      const bursts = gaps.filter((gap) => gap > 0);
      return { lossBursts: bursts.length, longestLossBurst: Math.max(0, ...bursts) };
    },
  };
}
