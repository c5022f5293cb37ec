import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ServerLimits, ServerTimers } from '../core/http/server-types.js';
import { collect, parseCount, parseDuration, parseHost, parsePort, parseSize } from './options.js';
import { LOG_FORMATS, type LogFormat } from './views/access-log.js';

/** The flags of `serve` for the server itself: where it listens, TLS, limits, who may come in, logs. */
export interface ServerFlags {
  readonly host: string;
  readonly portFallback?: boolean;
  readonly tls?: boolean;
  readonly cert?: string;
  readonly key?: string;
  readonly redirectHttp?: number;
  readonly hsts?: boolean;
  readonly maxHeaderSize?: number;
  readonly headerTimeout?: number;
  readonly maxBody?: number;
  readonly bodyTimeout?: number;
  readonly keepAlive?: number;
  readonly maxConnections?: number;
  readonly socketMode?: number;
  readonly gracefulTimeout?: number;
  readonly rateLimit?: { readonly requests: number; readonly perMs: number };
  readonly limitRate?: number;
  readonly proxyProtocol?: boolean;
  readonly trustProxy?: readonly string[];
  readonly auth?: readonly string[];
  readonly authWrites?: boolean;
  readonly cors?: true | string;
  readonly header?: readonly (readonly [string, string])[];
  readonly log?: LogFormat;
  readonly logFile?: string;
  readonly health?: string;
  readonly admin?: { readonly host: string; readonly port: number };
  readonly metrics?: string;
  readonly requestId?: boolean;
}

/** Declares them. */
export function addServerFlags(command: Command): Command {
  return command
    .optionsGroup('Network:')
    .option(
      '--host <address>',
      'the address to listen on; 0.0.0.0 or :: for all, a path for a Unix socket',
      parseListenHost,
      '127.0.0.1',
    )
    .option(
      '--socket-mode <octal>',
      'who may connect to the Unix socket, like 660 (default: by the umask)',
      parseMode,
    )
    .option('--port-fallback', 'take the next free port when this one is in use')
    .option('--tls', 'speak HTTPS with a certificate made on the spot')
    .option(
      '--cert <file>',
      'speak HTTPS with this certificate (PEM, its chain after it); read anew when it changes',
    )
    .option('--key <file>', 'its private key (PEM), when that is not in the same file')
    .option('--redirect-http <port>', 'send clients of plain HTTP on this port to HTTPS', parsePort)
    .option('--hsts', 'tell browsers to come by HTTPS only from now on')
    .option('--proxy-protocol', 'expect a PROXY header (v1 or v2) on every connection')
    .option(
      '--trust-proxy <cidr>',
      'believe what these proxies say of their clients; unix is who comes by a Unix socket (repeatable)',
      collect,
    )
    .optionsGroup('Limits:')
    .option('--max-header-size <size>', 'request line and header fields (default: 16KiB; 431)', parseSize)
    .option('--header-timeout <time>', 'for a request head to arrive (default: 15s; 408)', parseDuration)
    .option(
      '--max-body <size>',
      'a request body for applications and upstreams (default: 100MiB; 413); 0 for any',
      parseSize,
    )
    .option('--body-timeout <time>', 'without a byte of the body (default: 30s; 408)', parseDuration)
    .option('--keep-alive <time>', 'between two requests of a connection (default: 15s)', parseDuration)
    .option('--max-connections <n>', 'at a time, for all workers (default: 10000; 503)', parseCount)
    .option(
      '--rate-limit <n/s>',
      'requests per address, like 10/s or 100/m (429); each worker counts for itself',
      parseRate,
    )
    .option('--limit-rate <size>', 'bytes per second of each answer', parseSize)
    .optionsGroup('Access:')
    .option(
      '--auth <user:password>',
      'ask for a user (repeatable); @FILE is a list like that of htpasswd, whose hashes may also stand here for the password',
      collect,
    )
    .option('--auth-writes', 'ask only for what changes something (uploads, deletes)')
    .option('--cors [origins]', 'let pages of all origins, or of these (with commas), read the answers')
    .option('--header <k: v>', 'add a header field to every answer (repeatable)', collectHeader)
    .optionsGroup('Logs and operation:')
    .addOption(
      new Option(
        '--log <format>',
        'log requests on stderr; dev and json with the time in queue and worker (default: dev on a terminal, else none)',
      ).choices(LOG_FORMATS),
    )
    .option('--log-file <path>', 'log requests to this file instead (SIGUSR1 opens it anew)')
    .option(
      '--graceful-timeout <time>',
      'how long running answers may take once it is to stop (default: 10s)',
      parseDuration,
    )
    .option('--health <url-path>', 'answer 200 there while the server runs')
    .option('--metrics <url-path>', 'answer with Prometheus metrics there')
    .option(
      '--admin <[host:]port>',
      'answer --health (/health) and --metrics (/metrics) at a port of their own, and only there',
      parseAdmin,
    )
    .option('--request-id', 'give each request an X-Request-Id, for applications, clients and logs');
}

/** What the flags say about limits; what they do not mention keeps its default. */
export function toLimits(flags: ServerFlags): Partial<ServerLimits> {
  return {
    ...(flags.maxHeaderSize !== undefined && { maxHeaderBytes: flags.maxHeaderSize }),
    ...(flags.maxBody !== undefined && { maxBodyBytes: flags.maxBody }),
    ...(flags.maxConnections !== undefined && { maxConnections: flags.maxConnections }),
  };
}

/** What the flags say about how long clients may take. */
export function toTimers(flags: ServerFlags): Partial<ServerTimers> {
  return {
    ...(flags.headerTimeout !== undefined && { headMs: flags.headerTimeout }),
    ...(flags.bodyTimeout !== undefined && { bodyMs: flags.bodyTimeout }),
    ...(flags.keepAlive !== undefined && { keepAliveMs: flags.keepAlive }),
  };
}

/** An address or name to listen on; what holds a slash is the path of a Unix socket. */
function parseListenHost(text: string): string {
  return text.includes('/') ? text : parseHost(text);
}

/** `9100` is for this machine only; `0.0.0.0:9100` for all. */
function parseAdmin(text: string): { host: string; port: number } {
  const [, host, port = ''] = /^(?:(.+):)?(\d+)$/.exec(text) ?? [];
  return { host: parseHost(host?.replace(/^\[(.*)\]$/, '$1') ?? '127.0.0.1'), port: parsePort(port) };
}

function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new InvalidArgumentError(`'${text}' is not a mode like 660.`);
  return Number.parseInt(text, 8);
}

/** `10/s`, `100/m` or a bare number a second. */
export function parseRate(text: string): { requests: number; perMs: number } {
  const match = /^(\d+)(?:\/([smh]))?$/.exec(text);
  const requests = Number(match?.[1]);
  if (match === null || requests === 0)
    throw new InvalidArgumentError(`'${text}' is not a rate (like 10/s or 100/m).`);
  return { requests, perMs: { s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? 's'] as number };
}

function collectHeader(
  text: string,
  previous: readonly (readonly [string, string])[] = [],
): (readonly [string, string])[] {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/.exec(text);
  if (match === null) throw new InvalidArgumentError(`'${text}' is not 'Name: value'.`);
  const [, name, value] = match as unknown as [string, string, string];
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value))
    throw new InvalidArgumentError(`the value of ${name} holds a control character.`);
  return [...previous, [name, value.trim()]];
}
