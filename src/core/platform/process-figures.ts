import { readdirSync } from 'node:fs';

/** What this process is and uses. */
export interface ProcessFigures {
  /** Seconds since 1970. */
  readonly startTimeSeconds: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Undefined where the system has no list of them. */
  readonly openFds?: number;
}

/** Once: the two clocks it is reckoned from do not agree to the millisecond. */
const START_TIME_SECONDS = Math.round(Date.now() - process.uptime() * 1000) / 1000;

/** Looks at this process. */
export function readProcessFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  const openFds = countDescriptors();
  return {
    startTimeSeconds: START_TIME_SECONDS,
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    ...(openFds !== undefined && { openFds }),
  };
}

function countDescriptors(): number | undefined {
  try {
    // One of them is the folder itself, being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}
