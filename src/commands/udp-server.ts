import type { Command } from 'commander';
import { NettoolError } from '../core/errors.js';
import type { UdpMode } from '../core/net/udp-server.js';
import { action, type Context, type Run } from './context.js';
import {
  addSocketOptions,
  collectList,
  type SocketFlags,
  toAccess,
  toBytes,
  toHostPort,
  toListenEndpoint,
} from './socket-options.js';
import { createSocketOutput, createSocketReporter } from './socket-output.js';
import { parseChunk } from './udp-client.js';

interface UdpServerFlags extends SocketFlags {
  readonly echo?: boolean;
  readonly reply?: string;
  readonly chat?: boolean;
  readonly sink?: boolean;
  readonly forward?: string;
  readonly once?: boolean;
  readonly chunk?: number;
  readonly multicast?: string[];
  readonly allow?: string[];
  readonly deny?: string[];
}

const MODES = ['echo', 'reply', 'chat', 'sink', 'forward'] as const;

/** Declares `nettool udp-server`. */
export function registerUdpServer(program: Command, run: Run): void {
  const command = program
    .command('udp-server')
    .summary('listen for UDP datagrams: print, answer, echo, relay')
    .description(
      'Listens for datagrams on 127.0.0.1 (or HOST). Prints them byte for byte, one after the other, and sends stdin,\n' +
        'a datagram per line, to everybody heard so far, unless one of the modes says otherwise.',
    )
    .usage('[HOST] PORT [flags]')
    .argument('[address...]', 'host (127.0.0.1) and port (0: any free one)')
    .optionsGroup('Modes (one of):')
    .option('--echo', 'send each datagram back')
    .option('--reply <text>', 'answer each datagram (@file: with a file)')
    .option('--chat', "relay each peer's datagrams to all others heard so far")
    .option('--sink', 'take everything, say nothing')
    .option('--forward <host:port>', "pass datagrams on, and the answers back to each one's sender")
    .optionsGroup('Datagrams:')
    .option('--once', 'one datagram, then exit')
    .option('--chunk <size>', 'send stdin in datagrams of so many bytes instead of lines', parseChunk)
    .option('--multicast <group>', 'join a group (on an interface: group%eth0; repeatable)', collectList)
    .option('--allow <cidr>', 'hear only these (repeatable)', collectList)
    .option('--deny <cidr>', 'never hear these (repeatable)', collectList);
  addSocketOptions(command);
  command.action(action(run, performUdpServer));
}

async function performUdpServer(
  context: Context,
  [address]: readonly unknown[],
  flags: UdpServerFlags,
): Promise<number> {
  const endpoint = toListenEndpoint(address as string[], undefined, context) as {
    host: string;
    port: number;
  };
  const show = { server: true, hex: flags.hex === true, time: flags.time === true, datagrams: true };
  const onEvent = createSocketReporter(context, show);
  const output = await createSocketOutput(context, show, onEvent);
  const mode = await toMode(context, flags);
  const { runUdpServer } = await import('../core/net/udp-server.js');
  const { peers, bytesIn, bytesOut } = await runUdpServer({
    ...endpoint,
    mode,
    multicast: flags.multicast,
    ...toAccess(flags),
    once: flags.once,
    idleTimeoutMs: flags.idleTimeout,
    chunkBytes: flags.chunk,
    limitRate: flags.limitRate,
    checksum: flags.checksum,
    openOutput: ({ id }) => output.open(id).sink,
    onSent: output.onSent && (({ id }, bytes) => output.onSent?.(id, bytes)),
    onEvent,
    signal: context.io.signal,
  });
  onEvent({ type: 'closed', connections: peers, bytesIn, bytesOut });
  return 0;
}

async function toMode(context: Context, flags: UdpServerFlags): Promise<UdpMode> {
  const [kind, second] = MODES.filter((name) => flags[name] !== undefined);
  if (second !== undefined)
    throw new NettoolError('USAGE', `--${kind} and --${second} are two modes; take one`);
  switch (kind) {
    case undefined:
      return { kind: 'print', input: { kind: 'stream', stream: context.io.stdin } };
    case 'reply':
      return { kind, reply: await toBytes(flags.reply ?? '', context) };
    case 'forward':
      return { kind, ...(await toHostPort('--forward', flags.forward ?? '')) };
    default:
      return { kind };
  }
}
