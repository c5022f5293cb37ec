import { formatSize } from './units.js';

/** A transfer as far as it has come. */
export interface ProgressState {
  /** What it is called. */
  readonly title: string;
  readonly doneBytes: number;
  /** Of how many; `undefined` when nobody knows. */
  readonly sizeBytes: number | undefined;
  readonly elapsedMs: number;
}

const BAR_WIDTH = 20;

/** A bar with size, rate and the time that is left, or what of it is known. */
export function formatProgress({ title, doneBytes, sizeBytes, elapsedMs }: ProgressState): string {
  if (doneBytes === 0) return title;
  const rate = elapsedMs > 0 ? (doneBytes / elapsedMs) * 1000 : 0;
  const speed = rate > 0 ? ` ${formatSize(rate)}/s` : '';
  if (sizeBytes === undefined || sizeBytes < doneBytes) return `${title} ${formatSize(doneBytes)}${speed}`;
  const share = sizeBytes === 0 ? 1 : doneBytes / sizeBytes;
  const full = Math.round(share * BAR_WIDTH);
  const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`;
  const left = rate > 0 && share < 1 ? ` ${formatTime((sizeBytes - doneBytes) / rate)} left` : '';
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  return `${title} ${bar}${percent} ${formatSize(doneBytes)} of ${formatSize(sizeBytes)}${speed}${left}`;
}

function formatTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
