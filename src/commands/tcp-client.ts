import type { Command } from 'commander';
import { NettoolError } from '../core/errors.js';
import type { Endpoint } from '../core/net/dial.js';
import { action, type Context, type Run } from './context.js';
import { parseDuration } from './options.js';
import {
  addProgressOption,
  addSocketOptions,
  addTlsOptions,
  METER,
  parsePattern,
  parsePositive,
  type SocketFlags,
  type SourceFlags,
  type TlsFlags,
  toDialEndpoint,
  toHost,
  toPort,
  toSource,
  toSourceAddress,
  toTlsClient,
} from './socket-options.js';
import { createSocketOutput, createSocketReporter } from './socket-output.js';

interface TcpClientFlags extends SocketFlags, TlsFlags, SourceFlags {
  readonly halfClose: boolean;
  readonly expect?: RegExp;
  readonly crlf?: boolean;
  readonly proxy?: string;
  readonly source?: string;
  readonly wait?: number;
  readonly scan?: boolean;
  readonly throughput?: number;
  readonly reverse?: boolean;
  readonly timeout?: number;
  readonly connectTimeout?: number;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly unix?: string;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** A port that has not answered after so long is hidden, not slow. */
const SCAN_TIMEOUT_MS = 2000;

/** Declares `nettool tcp-client`. */
export function registerTcpClient(program: Command, run: Run): void {
  const command = program
    .command('tcp-client')
    .summary('connect to a TCP port: talk, send, expect, scan, measure')
    .description(
      'Joins stdin and stdout to a TCP connection. The end of stdin ends our side only: the whole answer is waited for.',
    )
    .usage('HOST PORT [flags]')
    .argument('[address...]', 'host and port (with --scan a list: 22,80,8000-8010)')
    .optionsGroup('What is sent and expected:')
    .option('--send <text>', 'send this instead of stdin, then end our side')
    .option('--send-file <file>', 'send a file instead of stdin, then end our side')
    .option('--expect <regex>', 'end well when this comes; exit 20 when it does not', parsePattern)
    .option('--crlf', 'send each LF as CRLF')
    .option('--no-half-close', 'end at once when stdin ends')
    .optionsGroup('Connecting:')
    .option('--wait <time>', 'try again for so long, until the port accepts', parseDuration)
    .option('--scan', 'try each port, and print open, closed or filtered')
    .option('--proxy <url>', 'go through http://… (CONNECT), socks5://… or socks5h://…')
    .option('--source <addr[:port]>', 'connect from this address')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('--unix <path>', 'connect to a Unix socket instead')
    .option('--timeout <time>', 'for the whole run', parsePositive)
    .option('--connect-timeout <time>', 'for connecting (10s; with --scan 2s for each port)', parseDuration)
    .optionsGroup('Measuring:')
    .option('--throughput <time>', 'send as fast as possible for so long, report each second', parsePositive)
    .option('--reverse', 'with --throughput: receive instead');
  addProgressOption(addSocketOptions(command));
  addTlsOptions(command, 'client');
  command.action(action(run, performTcpClient));
}

function checkFlags(flags: TcpClientFlags): void {
  if (flags.ipv4 === true && flags.ipv6 === true) {
    throw new NettoolError('USAGE', '-4 and -6 leave no address to connect to');
  }
  if (flags.reverse === true && flags.throughput === undefined) {
    throw new NettoolError('USAGE', '--reverse goes with --throughput');
  }
  if (flags.proxy !== undefined && flags.unix !== undefined) {
    throw new NettoolError('USAGE', 'a proxy leads to no Unix socket');
  }
}

async function performTcpClient(
  context: Context,
  [address]: readonly unknown[],
  flags: TcpClientFlags,
): Promise<number> {
  checkFlags(flags);
  if (flags.scan === true) return performScan(context, address as string[], flags);
  const endpoint = toDialEndpoint(address as string[], flags.unix, context);
  const show = { server: false, hex: flags.hex === true, time: flags.time === true };
  const measuring = flags.throughput !== undefined;
  const onEvent = createSocketReporter(context, show, measuring ? 'stdout' : 'stderr');
  const output = await createSocketOutput(context, show, onEvent);
  const source = measuring ? { kind: 'none' as const } : await toSource(flags, context);
  const dial = await toDialOptions(context, endpoint, flags);
  const { runTcpClient } = await import('../core/net/tcp-client.js');
  await runTcpClient({
    dial,
    waitMs: flags.wait,
    source,
    interactive: source.kind === 'stream' && context.io.stdin.isTTY === true,
    noHalfClose: !flags.halfClose,
    crlf: flags.crlf === true,
    output: output.open(1),
    expect: flags.expect,
    throughput:
      flags.throughput === undefined
        ? undefined
        : { durationMs: flags.throughput, reverse: flags.reverse === true },
    timeoutMs: flags.timeout,
    idleTimeoutMs: flags.idleTimeout,
    limitRate: flags.limitRate,
    checksum: flags.checksum,
    progress: flags.progress === METER,
    onEvent,
    onSent: output.onSent && ((bytes) => output.onSent?.(1, bytes)),
    signal: context.io.signal,
  });
  return 0;
}

async function toDialOptions(context: Context, endpoint: Endpoint, flags: TcpClientFlags) {
  return {
    endpoint,
    family: familyOf(flags),
    proxy: flags.proxy === undefined ? undefined : await toProxy(flags.proxy, context),
    tls: await toTlsClient(flags, context),
    timeoutMs: flags.connectTimeout ?? CONNECT_TIMEOUT_MS,
    ...(await toSourceAddress(flags.source)),
  };
}

function familyOf({ ipv4, ipv6 }: TcpClientFlags): 4 | 6 | undefined {
  return ipv4 === true ? 4 : ipv6 === true ? 6 : undefined;
}

async function toProxy(text: string, context: Context) {
  const { parseProxy } = await import('../core/net/proxy.js');
  const proxy = parseProxy(text);
  if (proxy.password !== undefined) context.addSecret(proxy.password);
  return proxy;
}

async function performScan(
  context: Context,
  words: readonly string[],
  flags: TcpClientFlags,
): Promise<number> {
  const [host, list, extra] = words;
  if (host === undefined || list === undefined || extra !== undefined) {
    throw new NettoolError('USAGE', '--scan takes HOST and a list of ports like 22,80,8000-8010');
  }
  const onPort = createSocketReporter(context, { server: false, time: flags.time === true }, 'stdout');
  const { scanPorts } = await import('../core/net/scan.js');
  const time = flags.timeout === undefined ? undefined : AbortSignal.timeout(flags.timeout);
  const open = await scanPorts({
    host: toHost(host),
    ports: parsePortList(list),
    family: familyOf(flags),
    ...(await toSourceAddress(flags.source)),
    timeoutMs: flags.connectTimeout ?? SCAN_TIMEOUT_MS,
    onPort,
    signal: time === undefined ? context.io.signal : AbortSignal.any([context.io.signal, time]),
  });
  return open > 0 ? 0 : 1;
}

/** `22,80,8000-8010`, each port once, in the order given. */
function parsePortList(text: string): number[] {
  const ports = text.split(',').flatMap((item) => {
    const [first, last = first] = item.split('-').map((word) => toPort(word.trim()));
    if (first === undefined || last === undefined || item.split('-').length > 2 || last < first) {
      throw new NettoolError('USAGE', `'${item}' is not a port or a range of ports`);
    }
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  return [...new Set(ports)];
}
