import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { NettoolError, toNettoolError } from '../core/errors.js';
import type { AccessRules } from '../core/net/access-list.js';
import type { Endpoint } from '../core/net/dial.js';
import type { Source } from '../core/net/source.js';
import type { TlsVersion } from '../core/net/tls.js';
import type { TlsClientOptions } from '../core/net/tls-client.js';
import type { TlsServerOptions } from '../core/net/tls-server.js';
import type { Context } from './context.js';
import { collect, parseDuration, parsePort, parseSize } from './options.js';

/** Flags of all four socket commands. */
export interface SocketFlags {
  readonly hex?: boolean;
  readonly time?: boolean;
  readonly checksum?: boolean;
  /** `true` is only the lack of the global `--no-progress`. */
  readonly progress?: boolean | typeof METER;
  readonly limitRate?: number;
  readonly idleTimeout?: number;
}

/** The value of `--progress` when it was given. */
export const METER = 'meter';

/** Declares `--progress`, which shares its name with the global `--no-progress`. */
export function addProgressOption(command: Command): Command {
  return command.addOption(
    new Option('--progress', 'report once a second how much has passed').preset(METER),
  );
}

/** Declares the flags of all four socket commands. */
export function addSocketOptions(command: Command): Command {
  return command
    .optionsGroup('Showing and limiting:')
    .option('--hex', 'show a hex dump with direction and offset instead of the bytes')
    .option('--time', 'put a clock before each line for people, and a time into each event')
    .option('--checksum', 'print the SHA-256 of what passed, each direction')
    .option('--limit-rate <size>', 'bytes per second, each direction of each connection', parseRate)
    .option('--idle-timeout <time>', 'end a connection on which nothing moves for so long', parsePositive);
}

/** Flags of TLS. */
export interface TlsFlags {
  readonly tls?: boolean;
  readonly cert?: string;
  readonly key?: string;
  readonly cacert?: string;
  readonly insecure?: boolean;
  readonly sni?: string;
  readonly alpn?: string;
  readonly tlsMin?: TlsVersion;
}

/** Declares the flags of one end of TLS. */
export function addTlsOptions(command: Command, end: 'client' | 'server'): Command {
  const client = end === 'client';
  command
    .optionsGroup('TLS:')
    .option('--tls', client ? 'speak TLS' : 'speak TLS; self-signed without --cert');
  if (client) command.option('-k, --insecure', 'do not check the certificate');
  command
    .option(
      '--cacert <file>',
      client ? 'trust these certificates (PEM) alone' : 'let in clients with a certificate of these',
    )
    .option('--cert <file>', 'our certificate (PEM)')
    .option('--key <file>', 'its private key (PEM), when not in the same file');
  if (client) command.option('--sni <name>', 'the name to ask for and to look for in the certificate');
  return command
    .option('--alpn <list>', 'protocols to agree on, best first: h2,http/1.1')
    .addOption(new Option('--tls-min <version>', 'the lowest version spoken').choices(['1.2', '1.3']));
}

function parseRate(text: string): number {
  const rate = parseSize(text);
  if (rate === 0) throw new InvalidArgumentError('a rate of 0 moves nothing.');
  return rate;
}

/** A duration longer than nothing. */
export function parsePositive(text: string): number {
  const ms = parseDuration(text);
  if (ms < 1) throw new InvalidArgumentError(`'${text}' is no time at all.`);
  return ms;
}

/** A regular expression, as JavaScript has them; `m` is on, so that `^` and `$` stand at lines. */
export function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text, 'mu');
  } catch (error) {
    throw new InvalidArgumentError(`'${text}' is not a regular expression (${(error as Error).message}).`);
  }
}

/** Repeatable lists: `--allow 10.0.0.0/8,::1 --allow 192.168.1.1`. */
export function collectList(text: string, previous: readonly string[] = []): string[] {
  return text.split(',').reduce((list, item) => collect(item.trim(), list), [...previous]);
}

/** `[HOST] PORT` or `--unix PATH` as where to listen. */
export function toListenEndpoint(
  words: readonly string[],
  unix: string | undefined,
  context: Context,
): Endpoint {
  if (unix !== undefined) return unixEndpoint(words, unix, context);
  if (words.length === 0)
    throw new NettoolError('USAGE', 'a port is missing', { hint: '[HOST] PORT; port 0 takes any' });
  const [host, port] = words.length === 1 ? ['127.0.0.1', words[0]] : words;
  return toEndpoint([host ?? '', port ?? '', ...words.slice(2)]);
}

/** `HOST PORT` or `--unix PATH` as where to connect. */
export function toDialEndpoint(
  words: readonly string[],
  unix: string | undefined,
  context: Context,
): Endpoint {
  return unix === undefined ? toEndpoint(words) : unixEndpoint(words, unix, context);
}

function unixEndpoint(words: readonly string[], unix: string, context: Context): Endpoint {
  if (words.length > 0) throw new NettoolError('USAGE', '--unix stands instead of HOST and PORT');
  return { path: resolve(context.io.cwd, unix) };
}

function toEndpoint(words: readonly string[]): { host: string; port: number } {
  const [host, port, extra] = words;
  if (host === undefined || port === undefined) {
    const [, name, number] = /^(?:[a-z]+:\/\/)?(.+):(\d+)\/?$/i.exec(host ?? '') ?? [];
    const apart = name === undefined ? {} : { hint: `as two words: ${name} ${number}` };
    throw new NettoolError('USAGE', 'HOST and PORT are needed', apart);
  }
  if (extra !== undefined) throw new NettoolError('USAGE', `'${extra}' is one argument too many`);
  return { host: toHost(host), port: toPort(port) };
}

/** A host name or address, an IPv6 one with or without brackets. */
export function toHost(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, '$1');
  if (host === '' || /[\s/]/.test(host)) throw new NettoolError('USAGE', `'${text}' is not a host`);
  return host;
}

/** {@link parsePort}, outside of commander's own parsing. */
export function toPort(text: string): number {
  try {
    return parsePort(text);
  } catch (error) {
    throw new NettoolError('USAGE', (error as Error).message.replace(/\.$/, ''));
  }
}

/** `HOST:PORT` of a flag. */
export async function toHostPort(flag: string, text: string): Promise<{ host: string; port: number }> {
  const { parseHostPort } = await import('../core/net/address.js');
  const parsed = parseHostPort(text);
  if (parsed === undefined) throw new NettoolError('USAGE', `${flag}: '${text}' is not HOST:PORT`);
  return parsed;
}

/** `ADDR[:PORT]` of `--source`. */
export async function toSourceAddress(
  text: string | undefined,
): Promise<{ source: { host: string; port?: number } } | undefined> {
  if (text === undefined) return undefined;
  const { isIP } = await import('node:net');
  const host = text.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0) return { source: { host } };
  const source = await toHostPort('--source', text);
  if (isIP(source.host) === 0)
    throw new NettoolError('USAGE', `--source: '${source.host}' is not an address`);
  return { source };
}

/** What the flags say to send, instead of stdin. */
export interface SourceFlags {
  readonly send?: string;
  readonly sendFile?: string;
}

/** `--send`, `--send-file`, or stdin. */
export async function toSource({ send, sendFile }: SourceFlags, context: Context): Promise<Source> {
  if (send !== undefined && sendFile !== undefined) {
    throw new NettoolError('USAGE', '--send and --send-file stand instead of each other');
  }
  if (send !== undefined) return { kind: 'bytes', bytes: Buffer.from(send) };
  if (sendFile !== undefined) return toFileSource(sendFile, context);
  return { kind: 'stream', stream: context.io.stdin };
}

/** A file that is there, as a source. */
export async function toFileSource(file: string, context: Context): Promise<Source> {
  const { checkReadable } = await import('../core/net/source.js');
  const path = resolve(context.io.cwd, file);
  checkReadable(path);
  return { kind: 'file', path };
}

/** `TEXT` or `@file` as bytes. */
export async function toBytes(text: string, context: Context): Promise<Buffer> {
  if (!text.startsWith('@')) return Buffer.from(text);
  try {
    return await readFile(resolve(context.io.cwd, text.slice(1)));
  } catch (error) {
    throw toNettoolError(error, `cannot read ${text.slice(1)}`);
  }
}

/** `--allow` and `--deny`, when given. */
export function toAccess(flags: { allow?: string[]; deny?: string[] }): { access?: AccessRules } {
  const { allow = [], deny = [] } = flags;
  return allow.length + deny.length === 0 ? {} : { access: { allow, deny } };
}

function refuseWithoutTls(flags: TlsFlags): void {
  const [orphan] = (['cert', 'key', 'cacert', 'insecure', 'sni', 'alpn', 'tlsMin'] as const).filter(
    (name) => flags[name] !== undefined,
  );
  if (flags.tls === true || orphan === undefined) return;
  throw new NettoolError('USAGE', `--${orphan === 'tlsMin' ? 'tls-min' : orphan} goes with --tls`);
}

/** The client's end of TLS; `undefined` without `--tls`. */
export async function toTlsClient(flags: TlsFlags, context: Context): Promise<TlsClientOptions | undefined> {
  refuseWithoutTls(flags);
  if (flags.tls !== true) return undefined;
  const { readAuthorities, readIdentity } = await import('../core/net/tls.js');
  const { cert, key, cacert } = filesOf(flags, context);
  return {
    insecure: flags.insecure,
    servername: flags.sni,
    alpn: flags.alpn?.split(','),
    minVersion: flags.tlsMin,
    ca: cacert && (await readAuthorities(cacert)),
    identity: cert && (await readIdentity(cert, key)),
  } as TlsClientOptions;
}

/** The server's end of TLS: the given certificate, or one made on the spot for its host. */
export async function toTlsServer(
  flags: TlsFlags,
  host: string,
  context: Context,
): Promise<TlsServerOptions | undefined> {
  refuseWithoutTls(flags);
  if (flags.tls !== true) return undefined;
  const { readAuthorities, readIdentity } = await import('../core/net/tls.js');
  const { cert, key, cacert } = filesOf(flags, context);
  const identity =
    cert === undefined
      ? await (await import('../core/net/self-signed.js')).createSelfSigned([host])
      : await readIdentity(cert, key);
  return {
    identity: { cert: identity.cert, key: identity.key },
    clientCa: cacert && (await readAuthorities(cacert)),
    alpn: flags.alpn?.split(','),
    minVersion: flags.tlsMin,
  };
}

function filesOf({ cert, key, cacert }: TlsFlags, { io }: Context) {
  if (key !== undefined && cert === undefined) throw new NettoolError('USAGE', '--key goes with --cert');
  const path = (file: string | undefined): string | undefined => file && resolve(io.cwd, file);
  return { cert: path(cert), key: path(key), cacert: path(cacert) };
}
