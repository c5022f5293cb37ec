import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { NettoolError, toNettoolError } from '../core/errors.js';
import type { PathMtu, PingMethod, PingOptions, ProbeKind } from '../core/ping/types.js';
import { action, type Context, type Run } from './context.js';
import { parseDuration, parsePort } from './options.js';
import { reportPing } from './ping-report.js';

/** The flags of `ping` as commander hands them over. */
export interface PingFlags {
  readonly count?: number;
  readonly interval?: number;
  readonly timeout?: number;
  readonly deadline?: number;
  readonly size?: number;
  readonly ttl?: number;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly interface?: string;
  readonly numeric?: boolean;
  readonly timestamps?: boolean;
  readonly outstanding?: boolean;
  readonly audible?: boolean;
  readonly adaptive?: boolean;
  readonly flood?: boolean;
  readonly preload?: number;
  readonly pattern?: Uint8Array;
  readonly pmtu?: PathMtu;
  readonly tos?: number;
  readonly broadcast?: boolean;
  readonly file?: string;
  readonly tcp?: number;
  readonly http?: string | true;
  readonly method?: PingMethod;
  readonly graph?: boolean;
  readonly alive?: boolean;
  readonly untilUp?: boolean;
  readonly untilDown?: boolean;
}

const DEFAULT_SIZE_BYTES = 56;
const DEFAULT_INTERVAL_MS = 1000;
/** The largest datagram, less the IPv4 and ICMP headers; ICMPv6 carries as much as its length field allows. */
const MAX_SIZE_V4 = 65_507;
const MAX_SIZE_V6 = 65_527;

/** Declares `nettool ping`. */
export function registerPing(program: Command, run: Run): void {
  program
    .command('ping')
    .description('Measure round trips to hosts: ICMP echo without root where the system allows, TCP or HTTP.')
    .argument('[host...]', 'names, addresses, networks (192.0.2.0/28) and ranges (192.0.2.1-9)')
    .option('-c, --count <n>', 'stop after this many probes (with -w: replies)', parseWithin(1, 2 ** 53 - 1))
    .option(
      '-i, --interval <time>',
      'between probes (default: 1s; 0 sends when the last is answered)',
      parseDuration,
    )
    .option(
      '-W, --timeout <time>',
      'how long a reply may take (default: 10s, then two round trips)',
      parseDuration,
    )
    .option('-w, --deadline <time>', 'stop after this time, whatever came back', parseDuration)
    .option(
      '-s, --size <bytes>',
      `payload of a probe (default: ${DEFAULT_SIZE_BYTES})`,
      parseWithin(0, MAX_SIZE_V6),
    )
    .option('-t, --ttl <n>', 'hop limit, 1-255', parseWithin(1, 255))
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('-I, --interface <name>', 'send from this interface or address')
    .option('-n, --numeric', 'look up no names of addresses')
    .option('-D, --timestamps', 'print the time (Unix seconds) before each line')
    .option('-O, --outstanding', 'say when a reply is missing before the next probe leaves')
    .option('-a, --audible', 'ring the bell with each reply')
    .option('-A, --adaptive', 'send as often as replies come')
    .option('-f, --flood', 'send as fast as replies come, or 100 a second; draw dots')
    .option('-l, --preload <n>', 'send this many at once at the start', parseWithin(1, 65_536))
    .option('-p, --pattern <hex>', 'fill the payload with up to 16 bytes', parsePattern)
    .addOption(new Option('-M, --pmtu <how>', 'path MTU discovery').choices(['do', 'want', 'dont', 'probe']))
    .option('-Q, --tos <n>', 'type of service or traffic class, 0-255 or 0x..', parseTos)
    .option('-b, --broadcast', 'allow a broadcast address')
    .option('--file <path>', 'ping the hosts in this file too, one per line (- is stdin)')
    .option('--tcp <port>', 'time TCP connections to this port instead', parsePort)
    .option('--http [url]', 'time HEAD requests up to the first byte instead; a path is asked of each host')
    .addOption(
      new Option('--method <name>', 'use only this way to send ICMP').choices([
        'icmp-dgram',
        'icmp-raw',
        'system',
      ]),
    )
    .option('--graph', 'draw the round trips as a live chart')
    .option('--alive', 'print only the hosts that answered')
    .option('--until-up', 'stop, with exit code 0, when every host has answered')
    .option('--until-down', 'stop, with exit code 0, when every host has stopped answering')
    .addHelpText('after', EXAMPLES)
    .action(
      action<PingFlags>(run, async (context, [hosts], flags) => {
        const options = await toPingOptions(context, hosts as string[], flags);
        const { ping } = await import('../core/ping/index.js');
        return reportPing(context, flags, options, ping(options));
      }),
    );
}

const EXAMPLES = `
Examples:
  nettool ping -c 3 example.org
  nettool ping -q -c 1 -W 0.5 192.0.2.0/24          which hosts of a network answer
  nettool ping --tcp 443 --until-up -w 60 example.org   wait for a service`;

/** Flags → what core is asked to do. */
async function toPingOptions(context: Context, hosts: string[], flags: PingFlags): Promise<PingOptions> {
  checkRelations(flags);
  const probe = toProbe(flags);
  const all = [...hosts, ...(await readHosts(context, flags.file))];
  if (all.length === 0 && probe.kind === 'http' && /^https?:/i.test(probe.url)) {
    all.push(new URL(probe.url).hostname.replace(/^\[(.*)\]$/, '$1'));
  }
  if (all.length === 0)
    throw new NettoolError('USAGE', 'a host is missing', { hint: "see 'nettool ping --help'" });
  const { expandHosts } = await import('../core/ping/targets.js');
  const source = flags.interface;
  const family = flags.ipv4 ? 4 : flags.ipv6 ? 6 : undefined;
  return {
    hosts: expandHosts(all),
    probe,
    intervalMs: flags.interval ?? (flags.flood ? 0 : DEFAULT_INTERVAL_MS),
    adaptive: flags.adaptive === true,
    preload: flags.preload ?? 1,
    sizeBytes: flags.size ?? DEFAULT_SIZE_BYTES,
    broadcast: flags.broadcast === true,
    reportWaiting: flags.outstanding === true,
    reportSent: flags.flood === true && !context.json && !context.quiet,
    signal: context.io.signal,
    ...(family === undefined ? {} : { family }),
    ...(flags.count === undefined ? {} : { count: flags.count }),
    ...(flags.timeout === undefined ? {} : { timeoutMs: flags.timeout }),
    ...(flags.deadline ? { deadlineMs: flags.deadline } : {}),
    ...(flags.ttl === undefined ? {} : { ttl: flags.ttl }),
    ...(flags.tos === undefined ? {} : { trafficClass: flags.tos }),
    ...(flags.pattern === undefined ? {} : { pattern: flags.pattern }),
    ...(flags.pmtu === undefined ? {} : { pathMtu: flags.pmtu }),
    ...(source === undefined ? {} : isIP(source) ? { sourceAddress: source } : { sourceInterface: source }),
    ...(flags.untilUp ? { until: 'up' } : flags.untilDown ? { until: 'down' } : {}),
  };
}

function toProbe({ tcp, http, method }: PingFlags): ProbeKind {
  if (tcp !== undefined) return { kind: 'tcp', port: tcp };
  if (http !== undefined) return { kind: 'http', url: http === true ? '' : toHttpUrl(http) };
  return method === undefined ? { kind: 'icmp' } : { kind: 'icmp', method };
}

/** A path stays one; a host without a scheme gets http. */
function toHttpUrl(text: string): string {
  if (text.startsWith('/')) return text;
  const url = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(url) || !/^https?:/i.test(url)) {
    throw new NettoolError('USAGE', `'${text}' is not an http or https URL`);
  }
  return url;
}

function checkRelations(flags: PingFlags): void {
  const clash = (words: string): never => {
    throw new NettoolError('USAGE', words);
  };
  if (flags.ipv4 && flags.ipv6) clash('-4 and -6 exclude each other');
  if (flags.ipv4 && (flags.size ?? 0) > MAX_SIZE_V4) clash(`-s is at most ${MAX_SIZE_V4} for IPv4`);
  if (flags.untilUp && flags.untilDown) clash('--until-up and --until-down exclude each other');
  if (flags.tcp !== undefined && flags.http !== undefined) clash('--tcp and --http exclude each other');
  if (flags.tcp === undefined && flags.http === undefined) return;
  const icmpOnly = ['size', 'ttl', 'pattern', 'pmtu', 'tos', 'broadcast', 'method'] as const;
  const given = icmpOnly.find((name) => flags[name] !== undefined);
  if (given !== undefined) clash(`--${given} is for ICMP probes only`);
  if (flags.interface !== undefined && isIP(flags.interface) === 0) {
    clash('with --tcp and --http, -I takes an address, not an interface');
  }
}

async function readHosts({ io }: Context, path: string | undefined): Promise<string[]> {
  if (path === undefined) return [];
  const { parseHostLines } = await import('../core/ping/targets.js');
  try {
    return parseHostLines(
      path === '-' ? await text(io.stdin) : await readFile(resolve(io.cwd, path), 'utf8'),
    );
  } catch (error) {
    throw toNettoolError(error, `cannot read ${path}`);
  }
}

function parseWithin(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`'${text}' is not a number from ${min} to ${max}.`);
    }
    return value;
  };
}

function parseTos(text: string): number {
  const value = Number(text);
  if (!/^(\d+|0x[\da-f]+)$/i.test(text) || value > 255) {
    throw new InvalidArgumentError(`'${text}' is not a number from 0 to 255.`);
  }
  return value;
}

/** Pairs of hexadecimal digits, the last of which may stand alone. */
function parsePattern(text: string): Uint8Array {
  if (!/^[\da-f]{1,32}$/i.test(text)) {
    throw new InvalidArgumentError(`'${text}' is not up to 16 bytes in hexadecimal.`);
  }
  return Uint8Array.from(text.match(/.{1,2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}
