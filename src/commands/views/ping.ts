import { isIP } from 'node:net';
import type {
  PingEvent,
  ProbeErrorEvent,
  ReplyEvent,
  StartEvent,
  SummaryEvent,
  WrongData,
} from '../../core/ping/types.js';
import type { Style } from '../output/style.js';
import { formatTable } from '../output/table.js';

/** What the lines depend on beside the events. */
export interface PingViewSettings {
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** `-D`: the time before each line. */
  readonly timestamps: boolean;
  /** `-a`: a bell with each reply. */
  readonly audible: boolean;
  /** `-A`, `-f`, `-i 0`: the summary tells the pace. */
  readonly paced: boolean;
  /** Probes are connections. */
  readonly connects: boolean;
  /** `-b`: others than the target answer. */
  readonly broadcast: boolean;
  /** Several hosts: one table instead of a summary each. */
  readonly many: boolean;
  readonly interfaceName?: string | undefined;
  /** The names of addresses that have one. */
  readonly names: ReadonlyMap<string, string>;
}

/** iputils times only payloads that have room for a time stamp. */
const TIMED_BYTES = 16;

/** An event in the words of iputils' ping; `undefined` when nothing is said. */
export function viewPing(event: PingEvent, style: Style, settings: PingViewSettings): string | undefined {
  switch (event.type) {
    case 'start':
      return viewStart(event, settings);
    case 'reply':
      return settings.quiet ? undefined : viewReply(event, style, settings);
    case 'waiting':
      if (settings.quiet) return undefined;
      return `${stamp(event.at, settings)}no answer yet ${settings.many ? `from ${event.host} ` : ''}for icmp_seq=${wire(event.seq)}`;
    case 'probe-error':
      return settings.quiet ? undefined : viewProbeError(event, style, settings);
    case 'host-error':
      return event.message;
    case 'summary':
      return settings.many ? undefined : viewSummary(event, style, settings);
    default:
      return undefined;
  }
}

/** Whether an event is this system's own complaint, which goes to stderr. */
export function isLocalError(event: PingEvent): boolean {
  return event.type === 'host-error' || (event.type === 'probe-error' && event.from === null);
}

function viewStart(event: StartEvent, { interfaceName, names }: PingViewSettings): string {
  const { host, address, family, sizeBytes: size, method, source } = event;
  if (method === 'tcp') return `TCP PING ${host} (${address}) port ${event.port}`;
  if (method === 'http') return `HTTP PING ${host} (${address}) HEAD ${event.url === '' ? '/' : event.url}`;
  const from =
    interfaceName === undefined
      ? ''
      : `from ${source ?? '?'} ${isIP(interfaceName) === 0 ? interfaceName : ''}: `;
  if (family === 4) return `PING ${host} (${address}) ${from}${size}(${size + 28}) bytes of data.`;
  return `PING ${host}(${fullName(address, names)}) ${from}${size} data bytes`;
}

function viewReply(event: ReplyEvent, style: Style, settings: PingViewSettings): string {
  const from = fullName(event.from ?? event.address, settings.names);
  const bell = settings.audible ? '\u0007' : '';
  const start = stamp(event.at, settings);
  const { seq, ttl, timeMs } = event;
  if (event.status !== undefined) {
    return `${start}HTTP ${event.status} from ${from}: seq=${seq} time=${formatTime(timeMs)} ms${bell}`;
  }
  if (event.bytes === 0)
    return `${start}connected to ${from}: seq=${seq} time=${formatTime(timeMs)} ms${bell}`;
  const hops = ttl === null ? '' : ` ttl=${ttl}`;
  const head = `${start}${event.bytes} bytes from ${from}: icmp_seq=${wire(seq)}${hops}`;
  if (event.truncated) return `${head}${style.red(' (truncated)')}${bell}`;
  const time = event.bytes - 8 < TIMED_BYTES ? '' : ` time=${formatTime(timeMs)} ms`;
  return `${head}${time}${viewMarks(event, style, settings)}${viewWrongData(event.wrongData)}${bell}`;
}

function viewMarks(event: ReplyEvent, style: Style, settings: PingViewSettings): string {
  // Where many may answer, many answers from elsewhere are no news.
  const group = settings.broadcast || /^(22[4-9]|23\d)\.|^ff/i.test(event.address);
  const marks = [
    event.duplicate && (!group || settings.verbose) ? ' (DUP!)' : '',
    event.badChecksum ? ' (BAD CHECKSUM!)' : '',
    event.from === undefined || group ? '' : ' (DIFFERENT ADDRESS!)',
    event.outOfOrder ? ' (OUT OF ORDER!)' : '',
  ];
  return marks.map((mark) => (mark === '' ? '' : style.yellow(mark))).join('');
}

/** iputils' dump of a payload that came back changed: 32 bytes a line, the time stamp left out. */
function viewWrongData(wrong: WrongData | undefined): string {
  if (wrong === undefined) return '';
  const { offset, expected, actual } = wrong;
  const payload = Buffer.from(wrong.payloadHex, 'hex');
  let text = `\nwrong data byte #${offset} should be 0x${expected.toString(16)} but was 0x${actual.toString(16)}`;
  for (let i = TIMED_BYTES; i < payload.length; i++) {
    if (i % 32 === TIMED_BYTES) text += `\n#${i}\t`;
    text += `${payload[i]?.toString(16)} `;
  }
  return text;
}

function viewProbeError(event: ProbeErrorEvent, style: Style, settings: PingViewSettings): string {
  const words = style.red(event.message);
  if (event.from === null) {
    const what = settings.connects ? 'connect' : event.mtu === undefined ? 'sendmsg' : 'local error';
    return `ping: ${what}: ${event.message}`;
  }
  const seq = event.icmpType === null ? `seq=${event.seq}` : `icmp_seq=${wire(event.seq)}`;
  return `${stamp(event.at, settings)}From ${fullName(event.from, settings.names)} ${seq} ${words}`;
}

/** The numbers at the end, as iputils prints them; with `-v` also what iputils does not know. */
function viewSummary(event: SummaryEvent, style: Style, settings: PingViewSettings): string {
  const { transmitted, received, duplicates, corrupted, errors } = event;
  const counts = [
    `${transmitted} packets transmitted`,
    `${received} received`,
    duplicates > 0 ? `+${duplicates} duplicates` : '',
    corrupted > 0 ? `+${corrupted} corrupted` : '',
    errors > 0 ? `+${errors} errors` : '',
    transmitted > 0 ? `${event.lossPercent}% packet loss` : '',
    transmitted > 0 ? `time ${event.durationMs}ms` : '',
  ];
  const pace =
    received > 0 && settings.paced && transmitted > 1
      ? `ipg/ewma ${fixed(event.ipgMs)}/${fixed(event.ewmaMs)} ms`
      : '';
  const timed =
    received > 0 && (event.method === 'tcp' || event.method === 'http' || event.sizeBytes >= TIMED_BYTES);
  const rtt = timed
    ? `rtt min/avg/max/mdev = ${[event.minMs, event.avgMs, event.maxMs, event.mdevMs].map(fixed).join('/')} ms`
    : '';
  const last = [rtt, event.pipe > 1 ? `pipe ${event.pipe}` : '', pace].filter(Boolean).join(', ');
  const lines = ['', `--- ${event.host} ping statistics ---`, counts.filter(Boolean).join(', '), last];
  if (settings.verbose && received > 0) lines.push(viewMore(event, style));
  return lines.join('\n');
}

function viewMore(event: SummaryEvent, style: Style): string {
  const times = [event.p50Ms, event.p95Ms, event.p99Ms, event.jitterMs].map(fixed).join('/');
  const bursts =
    event.lossBursts === 0 ? '' : `, ${event.lossBursts} loss bursts (longest ${event.longestLossBurst})`;
  const order = event.outOfOrder === 0 ? '' : `, ${event.outOfOrder} out of order`;
  return style.dim(`median/p95/p99/jitter = ${times} ms${bursts}${order}`);
}

/** The summaries of several hosts as one table. */
export function viewSummaryTable(summaries: readonly SummaryEvent[], style: Style): string {
  const header = ['host', 'sent', 'recv', 'loss', 'min', 'avg', 'max', 'mdev', 'p50', 'p95', 'p99', 'jitter'];
  const rows = summaries.map((event) => {
    const times = [
      event.minMs,
      event.avgMs,
      event.maxMs,
      event.mdevMs,
      event.p50Ms,
      event.p95Ms,
      event.p99Ms,
    ];
    const loss = `${Number(event.lossPercent.toFixed(1))}%`;
    const paint = event.received === 0 ? style.red : event.lossPercent > 0 ? style.yellow : style.green;
    const name = event.host === event.address ? event.host : `${event.host} (${event.address})`;
    const counts = [String(event.transmitted), String(event.received), paint(loss)];
    return [
      name,
      ...counts,
      ...[...times, event.jitterMs].map((time) => (time === null ? '-' : fixed(time))),
    ];
  });
  const align = header.map((_, column) => (column === 0 ? ('left' as const) : ('right' as const)));
  const [head = '', ...lines] = formatTable([header, ...rows], align);
  return ['', style.bold(head), ...lines].join('\n');
}

/** `-f`: a dot for each probe, taken back by its reply. */
export function viewFlood(event: PingEvent): string | undefined {
  switch (event.type) {
    case 'sent':
      return '.';
    case 'reply':
      return event.badChecksum ? '\bC' : '\b \b';
    case 'probe-error':
      return event.notice ? undefined : event.from === null ? 'E' : '\bE';
    default:
      return undefined;
  }
}

/** Milliseconds with as many decimals as iputils gives them. */
export function formatTime(timeMs: number): string {
  const us = Math.round(timeMs * 1000);
  if (us >= 99_950) return String(Math.trunc((us + 500) / 1000));
  if (us >= 9995) return (Math.trunc((us + 50) / 100) / 10).toFixed(1);
  if (us >= 1000) return (Math.trunc((us + 5) / 10) / 100).toFixed(2);
  return (us / 1000).toFixed(3);
}

function fixed(timeMs: number | null): string {
  return (timeMs ?? 0).toFixed(3);
}

/** Sequence numbers on the wire have 16 bits, and so iputils prints them. */
function wire(seq: number): number {
  return seq & 0xffff;
}

/** `name (address)` when the name is known. */
function fullName(address: string, names: ReadonlyMap<string, string>): string {
  const name = names.get(address);
  return name === undefined ? address : `${name} (${address})`;
}

/** `[1700000000.123456] `. */
function stamp(at: string, { timestamps }: PingViewSettings): string {
  if (!timestamps) return '';
  const micros = at.slice(at.indexOf('.') + 1, -1).padEnd(6, '0');
  return `[${Math.floor(Date.parse(at) / 1000)}.${micros}] `;
}
