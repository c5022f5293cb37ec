import { type Command, InvalidArgumentError } from 'commander';
import { NettoolError } from '../core/errors.js';
import { action, type Context, type Run } from './context.js';
import { parseCount, parseSize } from './options.js';
import {
  addSocketOptions,
  collectList,
  parsePattern,
  parsePositive,
  type SocketFlags,
  type SourceFlags,
  toDialEndpoint,
  toSource,
  toSourceAddress,
} from './socket-options.js';
import { createSocketOutput, createSocketReporter } from './socket-output.js';

interface UdpClientFlags extends SocketFlags, SourceFlags {
  readonly chunk?: number;
  readonly crlf?: boolean;
  readonly expect?: RegExp;
  readonly once?: boolean;
  readonly sendOnly?: boolean;
  readonly source?: string;
  readonly multicast?: string[];
  readonly ttl?: number;
  readonly timeout?: number;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
}

/** 65535 less the headers of IP and UDP. */
const LARGEST_DATAGRAM = 65_507;

/** Declares `nettool udp-client`. */
export function registerUdpClient(program: Command, run: Run): void {
  const command = program
    .command('udp-client')
    .summary('send UDP datagrams and print what comes back')
    .description(
      'Sends stdin, a datagram per line (its newline included), and prints what comes back byte for byte.\n' +
        'Datagrams have no end: --send-only, --once, --expect or --timeout say when to stop.',
    )
    .usage('HOST PORT [flags]')
    .argument('[address...]', 'host (also a broadcast address or multicast group) and port')
    .optionsGroup('Datagrams:')
    .option('--send <text>', 'send this as one datagram instead of stdin')
    .option('--send-file <file>', 'send a file instead of stdin')
    .option('--chunk <size>', 'a datagram per so many bytes instead of lines', parseChunk)
    .option('--crlf', 'send each LF as CRLF')
    .option('--expect <regex>', 'end well when this comes; exit 20 when it does not', parsePattern)
    .option('--once', 'end when the first datagram comes')
    .option('--send-only', 'end when all is sent, and show nothing that comes')
    .option('--timeout <time>', 'end then: 0 when anything was heard, else 28', parsePositive)
    .option('--multicast <group>', 'join a group too, to hear what is sent to it (repeatable)', collectList)
    .option('--ttl <count>', 'how many routers a datagram may pass', parseTtl)
    .option('--source <addr[:port]>', 'send from this address')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only');
  addSocketOptions(command);
  command.action(action(run, performUdpClient));
}

/** `--chunk`: what fits into one datagram. */
export function parseChunk(text: string): number {
  const size = parseSize(text);
  if (size < 1 || size > LARGEST_DATAGRAM) {
    throw new InvalidArgumentError(`a datagram carries 1 to ${LARGEST_DATAGRAM} bytes.`);
  }
  return size;
}

function parseTtl(text: string): number {
  const count = parseCount(text);
  if (count < 1 || count > 255) throw new InvalidArgumentError('1 to 255.');
  return count;
}

async function performUdpClient(
  context: Context,
  [address]: readonly unknown[],
  flags: UdpClientFlags,
): Promise<number> {
  const { host, port } = toDialEndpoint(address as string[], undefined, context) as {
    host: string;
    port: number;
  };
  if (port === 0) throw new NettoolError('USAGE', 'nothing can be sent to port 0');
  if (flags.ipv4 === true && flags.ipv6 === true) {
    throw new NettoolError('USAGE', '-4 and -6 leave no address to send to');
  }
  if (flags.sendOnly === true && (flags.once === true || flags.expect !== undefined)) {
    throw new NettoolError('USAGE', '--send-only waits for nothing: it goes without --once and --expect');
  }
  const show = { server: false, hex: flags.hex === true, time: flags.time === true, datagrams: true };
  const onEvent = createSocketReporter(context, show);
  const output = await createSocketOutput(context, show, onEvent);
  const { runUdpClient } = await import('../core/net/udp-client.js');
  await runUdpClient({
    host,
    port,
    family: flags.ipv4 === true ? 4 : flags.ipv6 === true ? 6 : undefined,
    ...(await toSourceAddress(flags.source)),
    input: await toSource(flags, context),
    chunkBytes: flags.chunk,
    crlf: flags.crlf === true,
    multicast: flags.multicast,
    ttl: flags.ttl,
    expect: flags.expect,
    once: flags.once,
    sendOnly: flags.sendOnly,
    timeoutMs: flags.timeout,
    idleTimeoutMs: flags.idleTimeout,
    limitRate: flags.limitRate,
    checksum: flags.checksum,
    output: output.open(1).sink,
    onSent: output.onSent && ((bytes) => output.onSent?.(1, bytes)),
    onEvent,
    signal: context.io.signal,
  });
  return 0;
}
