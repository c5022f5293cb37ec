import { isIP } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { collect, parseCount, parseDuration, parseSize } from './options.js';

/** Flags that say how a request gets there. */
export interface NetworkFlags {
  readonly timeout?: number;
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  readonly retry?: number;
  readonly retryDelay: number;
  readonly retryAll?: boolean;
  readonly follow: boolean;
  readonly maxRedirects: number;
  readonly allowDowngrade?: boolean;
  readonly redirectTrust?: readonly string[];
  readonly proxy?: string;
  readonly insecure?: boolean;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly keyPass?: string;
  readonly tlsMin?: '1.2' | '1.3';
  readonly ciphers?: string;
  readonly pin?: readonly string[];
  readonly 'http1.1'?: boolean;
  readonly http2?: boolean;
  readonly resolve?: readonly string[];
  readonly unixSocket?: string;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly interface?: string;
  readonly limitRate?: number;
  readonly maxSize?: number;
}

/** Declares {@link NetworkFlags}. */
export function addNetworkFlags(command: Command): void {
  command
    .optionsGroup('Network:')
    .addOption(limit('--timeout <time>', 'limit for everything together (default: off)'))
    .addOption(
      limit('--connect-timeout <time>', 'limit for DNS, TCP, proxy and TLS together').default(10_000, '10s'),
    )
    .addOption(limit('--idle-timeout <time>', 'limit for a transfer that stands still').default(60_000, '1m'))
    .option(
      '--retry <n>',
      'try again up to n times: time-outs, resets, 408 425 429 500 502 503 504',
      parseCount,
    )
    .addOption(
      limit('--retry-delay <time>', 'the first pause; each next one is double').default(500, '500ms'),
    )
    .option('--retry-all', 'retry methods that are not idempotent, too (POST, PATCH)')
    .option('--no-follow', 'do not follow redirects')
    .option('--max-redirects <n>', 'follow at most so many', parseCount, 20)
    .option('--allow-downgrade', 'follow redirects from https to http, too')
    .option(
      '--redirect-trust <host>',
      'take login and other secrets along to this host (repeatable)',
      collect,
    )
    .option('--proxy <url>', "http, https, socks4a, socks5, socks5h; '' for none (default: environment)")
    .option('-k, --insecure', "do not check the server's certificate")
    .option('--cacert <file>', 'trust the certificates in this PEM file, and no others')
    .option('--cert <file>', 'show this certificate (PEM)')
    .option('--key <file>', 'the private key of --cert, when it is not in the same file')
    .option('--key-pass <pass>', 'the passphrase of that key')
    .addOption(new Option('--tls-min <version>', 'refuse older TLS').choices(['1.2', '1.3']))
    .option('--ciphers <list>', 'the ciphers to offer, as OpenSSL lists them')
    .option('--pin <sha256//…>', "accept only this public key (repeatable), curl's --pinnedpubkey", parsePin)
    .option('--http1.1', 'speak HTTP/1.1 only')
    .option('--http2', 'speak HTTP/2 only; on http:// with prior knowledge')
    .option('--resolve <host:port:addr>', 'take this address for a host (repeatable)', collect)
    .option('--unix-socket <path>', 'connect to a Unix socket instead')
    .option('-4, --ipv4', 'use IPv4 only')
    .option('-6, --ipv6', 'use IPv6 only')
    .option('--interface <name>', 'send from this interface or address')
    .option('--limit-rate <size>', 'bytes per second at most, both ways', parseRate)
    .option('--max-size <size>', 'give up when the body is larger, decoded', parseSize);
}

function limit(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseDuration);
}

function parseRate(text: string): number {
  const rate = parseSize(text.replace(/\/s$/, ''));
  if (rate < 1) throw new InvalidArgumentError('nothing would ever arrive.');
  return rate;
}

function parsePin(text: string, previous: readonly string[] = []): string[] {
  const pins = text.split(';').map((pin) => /^sha256\/\/([A-Za-z0-9+/]{43}=)$/.exec(pin)?.[1]);
  if (pins.includes(undefined))
    throw new InvalidArgumentError("it is 'sha256//' and 44 characters of base64.");
  return [...previous, ...(pins as string[])];
}

/** An address given with `--resolve`: `example.org:443:127.0.0.1[,::1]`; `*` stands for any host. */
export function parseResolve(text: string): readonly [key: string, addresses: string[]] | undefined {
  const [, host, port, list = ''] = /^(\*|\[[^\]]+\]|[^:]+):(\d{1,5}):(.+)$/.exec(text) ?? [];
  const addresses = list.split(',').map((address) => address.trim().replace(/^\[(.*)\]$/, '$1'));
  if (host === undefined || addresses.some((address) => isIP(address) === 0)) return undefined;
  return [`${host.toLowerCase()}:${port}`, addresses];
}
