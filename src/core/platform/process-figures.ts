import { readdirSync, readFileSync } from 'node:fs';

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

/** What user space counts CPU time in: the kernel tells hundredths of a second, whatever its own clock does. */
const TICKS_PER_SECOND = 100;

/** What another process uses; undefined where the system has no files that say so, and of one that is gone. */
export function readProcessUsage(
  pid: number,
): Pick<ProcessFigures, 'cpuSeconds' | 'residentBytes'> | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name, in parentheses, may contain anything (proc_pid_stat(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const resident = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    return { cpuSeconds, residentBytes: Number(resident ?? 0) * 1024 };
  } catch {
    return undefined;
  }
}
