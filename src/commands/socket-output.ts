import { isUtf8 } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import type { Output } from '../core/net/connection.js';
import type { Sink } from '../core/net/flow.js';
import type { OnSocketEvent, SocketEvent } from '../core/net/socket-events.js';
import type { Context } from './context.js';
import { createReporter, type Sink as ReportSink } from './output/reporter.js';
import { createSocketView, formatClock, formatHexDump } from './views/socket.js';

/** How what passes is shown. */
export interface ShowOptions {
  readonly server: boolean;
  readonly hex: boolean;
  readonly time: boolean;
  /** Each piece is a message of its own, not part of a stream. */
  readonly datagrams?: boolean;
}

/** Where bytes from the network go, and where those we send are shown, by connection. */
export interface SocketOutput {
  open(id: number): Output;
  /** Present when what is sent is shown too. */
  readonly onSent: ((id: number, bytes: Buffer) => void) | undefined;
}

/** Reports socket events on stderr (or `sink`), with `--json` on stdout with the time of each. */
export function createSocketReporter(
  context: Context,
  show: Pick<ShowOptions, 'server' | 'time'>,
  sink: ReportSink = 'stderr',
): OnSocketEvent {
  const view = createSocketView({ ...show, verbose: context.verbose });
  const report = createReporter<SocketEvent>(context, view, sink);
  if (!context.json) return report;
  if (!show.time) return report;
  return (event) => report(Object.assign({ ...event }, { time: new Date().toISOString() }));
}

/** The output of a run: events, a hex dump, escaped text on a terminal, or the very bytes. */
export async function createSocketOutput(
  context: Context,
  show: ShowOptions,
  report: OnSocketEvent,
): Promise<SocketOutput> {
  const { toStream } = await import('../core/net/flow.js');
  const { stdout } = context.io;
  if (context.json) return { open: (id) => jsonOutput(context, report, id, show), onSent: undefined };
  const write = toStream(stdout);
  if (show.hex) return hexOutput(context, show, write);
  if (context.style.stdout.terminal || context.io.stdout.isTTY === true) {
    return { open: (id) => terminalOutput(context, show, write, id), onSent: undefined };
  }
  const { enlargePipe, pipeDescriptor } = await import('../core/platform/descriptors.js');
  const pipeFd = pipeDescriptor(stdout);
  if (pipeFd !== undefined) enlargePipe(pipeFd);
  const output = { sink: write, pipeFd };
  return { open: () => output, onSent: undefined };
}

/** `data` events: text where it is text, also when a character is cut in two, else base64. */
function jsonOutput(context: Context, report: OnSocketEvent, id: number, { datagrams }: ShowOptions): Output {
  const { stdout } = context.io;
  let rest: Buffer = Buffer.alloc(0);
  const tell = (bytes: Buffer): void =>
    report({
      type: 'data',
      id,
      ...(isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') }),
    });
  return {
    sink(bytes) {
      const whole = Buffer.concat([rest, bytes]);
      const cut = datagrams === true ? whole.length : whole.length - unfinishedBytes(whole);
      // A piece of a character only waits behind text.
      const end = isUtf8(whole.subarray(0, cut)) ? cut : whole.length;
      rest = whole.subarray(end);
      if (end > 0 || datagrams === true) tell(whole.subarray(0, end));
      if (!stdout.writableNeedDrain || stdout.destroyed) return undefined;
      return new Promise((resolve) => {
        stdout.once('drain', resolve).once('close', resolve);
      });
    },
    end() {
      if (rest.length > 0) tell(rest);
      rest = Buffer.alloc(0);
    },
  };
}

/** How many bytes at the end begin a UTF-8 sequence that is not complete. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
}

function hexOutput(context: Context, show: ShowOptions, write: Sink): SocketOutput {
  const style = context.style.stdout;
  const offsets = new Map<string, number>();
  const dump = (id: number, direction: '<' | '>', bytes: Buffer): Promise<void> | undefined => {
    const key = `${direction}${id}`;
    const offset = offsets.get(key) ?? 0;
    offsets.set(key, offset + bytes.length);
    const paint = direction === '<' ? style.green : style.blue;
    const prefix = `${clockOf(show)}${show.server ? `[${id}] ` : ''}`;
    const text = formatHexDump(bytes, direction, offset).replace(/^/gm, prefix);
    return write(Buffer.from(`${paint(text)}\n`));
  };
  return {
    open: (id) => ({
      sink: (bytes) => dump(id, '<', bytes),
      end: () => {
        offsets.delete(`<${id}`);
        offsets.delete(`>${id}`);
      },
    }),
    onSent: (id, bytes) => void dump(id, '>', bytes)?.catch(() => {}),
  };
}

/** Text for a person: escaped, each line of a server's with its connection's number before it. */
function terminalOutput(context: Context, show: ShowOptions, write: Sink, id: number): Output {
  const style = context.style.stdout;
  const decoder = new StringDecoder('utf8');
  let atLineStart = true;
  const toLines = (text: string): string => {
    const prefix = (): string => `${style.dim(clockOf(show))}${show.server ? style.cyan(`[${id}] `) : ''}`;
    if (prefix() === '') return text;
    const begun = (atLineStart ? prefix() : '') + text.replace(/\n(?=[\s\S])/g, () => `\n${prefix()}`);
    atLineStart = text.endsWith('\n');
    return begun;
  };
  return {
    sink(bytes) {
      const text = decoder.write(bytes);
      return text === ''
        ? undefined
        : write(Buffer.from(toLines(style.foreign(text.replaceAll('\r\n', '\n')))));
    },
  };
}

function clockOf({ time }: ShowOptions): string {
  return time ? `${formatClock(new Date())} ` : '';
}
