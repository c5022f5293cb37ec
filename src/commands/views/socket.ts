import type {
  CloseEvent,
  OpenEvent,
  ProgressEvent,
  SocketEvent,
  TlsFacts,
} from '../../core/net/socket-events.js';
import { escapeLine } from '../output/escape.js';
import type { View } from '../output/reporter.js';
import type { Style } from '../output/style.js';

/** What a person gets to see of a socket command. */
export interface SocketViewOptions {
  readonly server: boolean;
  readonly verbose: number;
  /** A clock before each line. */
  readonly time: boolean;
}

/** The lines of the socket commands: who came, who left and how, how fast it went. */
export function createSocketView(options: SocketViewOptions): View<SocketEvent> {
  return (event, style) => {
    const line = viewEvent(event, style, options);
    return line === undefined || !options.time ? line : `${style.dim(formatClock(new Date()))} ${line}`;
  };
}

/** `12:34:56.789`, local time. */
export function formatClock(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

function viewEvent(event: SocketEvent, style: Style, options: SocketViewOptions): string | undefined {
  switch (event.type) {
    case 'listening': {
      const where = event.path ?? event.url.replace(/^\w+:\/\//, '');
      const print = event.fingerprint === undefined ? '' : `\n${style.dim('SHA-256')} ${event.fingerprint}`;
      return `listening on ${style.bold(where)}${print}`;
    }
    case 'open':
      return shows(options, style) ? viewOpen(event, style, options) : undefined;
    case 'close':
      return viewClose(event, style, shows(options, style) || isCutShort(event, options));
    case 'closed':
      return shows(options, style)
        ? `${event.connections} connections, ${formatBytes(event.bytesIn)} received, ${formatBytes(event.bytesOut)} sent`
        : undefined;
    case 'connection-error':
      return style.yellow(`${nameOf(event.id)}${peerOf(event)}${escapeLine(event.message)}`);
    case 'warning':
      return style.yellow(event.message);
    case 'progress':
    case 'interval':
    case 'throughput':
      return viewProgress(event);
    case 'port':
      return `${event.port} ${event.state}`;
    default:
      return undefined;
  }
}

/** Ctrl-C on a client sums up what there was. */
function isCutShort({ reason }: CloseEvent, { server }: SocketViewOptions): boolean {
  return reason === 'signal' && !server;
}

/** Comings and goings: always on a terminal for a server, else when asked for. */
function shows({ server, verbose }: SocketViewOptions, style: Style): boolean {
  return verbose > 0 || (server && style.terminal);
}

function nameOf(id: number | null): string {
  return id === null ? '' : `[${id}] `;
}

function peerOf({
  remoteAddress,
  remotePort,
}: {
  remoteAddress: string | null;
  remotePort: number | null;
}): string {
  if (remoteAddress === null) return '';
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort} `;
}

function viewOpen(event: OpenEvent, style: Style, { verbose }: SocketViewOptions): string {
  const head = `${style.cyan(nameOf(event.id))}${peerOf(event)}connected`;
  return event.tls === undefined ? head : `${head}${viewTls(event.tls, verbose > 0)}`;
}

function viewTls({ protocol, cipher, alpn, chain }: TlsFacts, full: boolean): string {
  const head = ` (${protocol}, ${cipher}${alpn === null ? '' : `, ALPN ${alpn}`})`;
  if (!full) return head;
  const lines = chain.flatMap(({ subject, issuer, validTo, fingerprint }, index) => [
    `  ${index} ${escapeLine(subject)}`,
    `    issued by ${escapeLine(issuer)}, valid to ${validTo.slice(0, 10)}`,
    `    SHA-256 ${fingerprint}`,
  ]);
  return [head, ...lines].join('\n');
}

const REASONS: Readonly<Record<CloseEvent['reason'], string>> = {
  fin: 'FIN',
  reset: 'reset',
  idle: 'idle for too long',
  limit: 'limit reached',
  signal: 'stopped by a signal',
};

function viewClose(event: CloseEvent, style: Style, full: boolean): string | undefined {
  const name = style.cyan(nameOf(event.id));
  const who = event.endedBy === 'peer' ? 'ended by the peer' : 'ended by us';
  const seconds = (event.durationMs / 1000).toFixed(3);
  const lines = full
    ? [
        `${name}${who} (${REASONS[event.reason]}): ${formatBytes(event.bytesIn)} received, ` +
          `${formatBytes(event.bytesOut)} sent, ${seconds} s`,
      ]
    : [];
  if (event.file !== undefined) lines.push(`${name}saved as ${escapeLine(event.file)}`);
  if (event.sha256In !== undefined) lines.push(`${name}sha256 received ${event.sha256In}`);
  if (event.sha256Out !== undefined) lines.push(`${name}sha256 sent     ${event.sha256Out}`);
  return lines.length === 0 ? undefined : lines.join('\n');
}

function viewProgress(event: ProgressEvent): string {
  const seconds = (event.durationMs / 1000).toFixed(1).padStart(6);
  const direction = (bytes: number, rate: number, word: string): string =>
    bytes === 0 ? '' : `  ${formatBytes(bytes)} ${word}, ${formatRate(rate)}`;
  const moved =
    direction(event.bytesIn, event.bytesInPerSecond, 'received') +
    direction(event.bytesOut, event.bytesOutPerSecond, 'sent');
  return `${seconds} s${moved || '  nothing yet'}${event.type === 'throughput' ? '  in total' : ''}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}

/** Bytes and, as networks are measured, bits per second. */
function formatRate(bytesPerSecond: number): string {
  const bits = bytesPerSecond * 8;
  const words = bits >= 1e9 ? `${(bits / 1e9).toFixed(2)} Gbit/s` : `${(bits / 1e6).toFixed(1)} Mbit/s`;
  return `${formatBytes(bytesPerSecond)}/s (${words})`;
}

/** Lines of a hex dump, sixteen bytes each: direction, offset, bytes, text. */
export function formatHexDump(bytes: Buffer, direction: '<' | '>', offset: number): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0'));
    const left = hex.slice(0, 8).join(' ').padEnd(23);
    const right = hex.slice(8).join(' ').padEnd(23);
    const text = [...row]
      .map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.'))
      .join('');
    lines.push(`${direction} ${(offset + at).toString(16).padStart(8, '0')}  ${left}  ${right}  |${text}|`);
  }
  return lines.join('\n');
}
