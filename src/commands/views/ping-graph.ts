import type { PingEvent } from '../../core/ping/types.js';
import type { Style } from '../output/style.js';
import { formatTime } from './ping.js';

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/** A probe without a reply. */
const LOST = '·';
const MAX_ROWS = 8;

/** A chart of round-trip times per host, oldest left; grows by events. */
export interface PingGraph {
  add(event: PingEvent): void;
  /** Lines that fit a terminal of this size. */
  draw(style: Style, size: { columns: number; rows: number }): string[];
}

/** Round-trip times in order of sending; `null` is lost, `undefined` still on its way. */
interface Course {
  readonly host: string;
  readonly address: string;
  readonly times: Array<number | null | undefined>;
  firstSeq: number;
  sent: number;
  received: number;
}

/** Wider than any terminal. */
const KEPT = 1000;

/** An empty {@link PingGraph}. */
export function createPingGraph(): PingGraph {
  const courses = new Map<string, Course>();
  const note = (course: Course, seq: number, time: number | null | undefined): void => {
    const index = seq - course.firstSeq;
    if (index < 0) return;
    course.times[index] = time;
    while (course.times.length > KEPT) {
      course.times.shift();
      course.firstSeq++;
    }
  };
  return {
    add(event) {
      if (event.type === 'start') {
        const { host, address } = event;
        courses.set(`${host} ${address}`, { host, address, times: [], firstSeq: 1, sent: 0, received: 0 });
      }
      if (!('address' in event) || !('seq' in event)) return;
      const course = courses.get(`${event.host} ${event.address}`);
      if (course === undefined) return;
      course.sent = Math.max(course.sent, event.seq);
      if (event.type === 'reply' && !event.duplicate) {
        course.received++;
        note(course, event.seq, event.timeMs);
      } else if (event.type === 'timeout' || event.type === 'probe-error') note(course, event.seq, null);
    },
    draw(style, { columns, rows }) {
      const each = Math.max(1, Math.min(MAX_ROWS, Math.floor(rows / Math.max(1, courses.size)) - 2));
      return [...courses.values()].flatMap((course) => drawCourse(course, style, { columns, rows: each }));
    },
  };
}

function drawCourse(course: Course, style: Style, size: { columns: number; rows: number }): string[] {
  const shown = Array.from(course.times).slice(-Math.max(1, size.columns - 11));
  const known = shown.filter((time): time is number => typeof time === 'number');
  const max = Math.max(...known, 0.001);
  const last = known.at(-1);
  const loss = course.sent === 0 ? 0 : ((course.sent - course.received) * 100) / course.sent;
  const name = course.host === course.address ? course.host : `${course.host} (${course.address})`;
  const paint = loss === 0 ? style.green : loss < 100 ? style.yellow : style.red;
  const now = last === undefined ? 'no reply' : `last ${formatTime(last)} ms, max ${formatTime(max)} ms`;
  const head = `${style.bold(name)}  ${now}  ${paint(`${Number(loss.toFixed(1))}% loss`)} of ${course.sent}`;
  const bars = drawBars(shown, { max, rows: size.rows });
  return [head, ...bars.map((bar, row) => `${axis(row, bars.length, max)} ${paint(bar)}`)];
}

/** The scale: the maximum at the top, zero at the bottom. */
function axis(row: number, rows: number, max: number): string {
  const label = row === 0 ? formatTime(max) : row === rows - 1 ? '0' : '';
  return `${label.padStart(8)} ┤`;
}

/** Bars of eighths of a character, a row of text per eight steps. */
export function drawBars(
  times: ReadonlyArray<number | null | undefined>,
  { max, rows }: { max: number; rows: number },
): string[] {
  const steps = rows * BLOCKS.length;
  return Array.from({ length: rows }, (_, row) => {
    const floor = (rows - 1 - row) * BLOCKS.length;
    return times
      .map((time) => {
        if (time === null) return row === rows - 1 ? LOST : ' ';
        if (time === undefined) return ' ';
        const height = Math.max(1, Math.round((time / max) * steps)) - floor;
        if (height <= 0) return ' ';
        return BLOCKS[Math.min(height, BLOCKS.length) - 1];
      })
      .join('')
      .trimEnd();
  });
}
