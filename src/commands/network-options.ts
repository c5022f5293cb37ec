import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { NettoolError } from '../core/errors.js';
import type { SendOptions } from '../core/http/client.js';
import type { HostAddress } from '../core/net/lookup.js';
import type { TlsClientOptions } from '../core/net/tls-client.js';
import type { AllFlags } from './all-flags.js';
import type { Context } from './context.js';
import { parseResolve } from './network-flags.js';
import { readInput, readSecret } from './secret-values.js';

/** How requests are sent, by the flags and the environment; every file that it takes has been read. */
export async function toSendOptions(context: Context, flags: AllFlags): Promise<SendOptions> {
  const path = {
    family: flags.ipv4 === true ? (4 as const) : flags.ipv6 === true ? (6 as const) : undefined,
    socketPath: flags.unixSocket === undefined ? undefined : resolve(context.io.cwd, flags.unixSocket),
    resolve: flags.resolve === undefined ? undefined : toResolveMap(flags.resolve),
    localAddress: flags.interface === undefined ? undefined : toLocalAddress(flags.interface, flags),
  };
  const { RateLimit } =
    flags.limitRate === undefined ? { RateLimit: undefined } : await import('../core/http/rate-limit.js');
  return {
    connectTimeoutMs: flags.connectTimeout,
    idleTimeoutMs: flags.idleTimeout,
    tls: await toTlsOptions(context, flags),
    path,
    chooseProxy: await toProxyChoice(context, flags),
    httpVersion: flags.http2 === true ? '2' : flags['http1.1'] === true ? '1.1' : undefined,
    rate: RateLimit === undefined ? undefined : new RateLimit(flags.limitRate as number),
  };
}

async function toTlsOptions(context: Context, flags: AllFlags): Promise<Omit<TlsClientOptions, 'alpn'>> {
  const { insecure, tlsMin, ciphers, pin, cacert, cert } = flags;
  return {
    insecure,
    ciphers,
    minVersion: tlsMin,
    pins: pin,
    ca: cacert === undefined ? undefined : await readAuthorities(context, cacert),
    identity: cert === undefined ? undefined : await readClientIdentity(context, cert, flags),
  };
}

async function readAuthorities(context: Context, path: string): Promise<string> {
  const text = (await readInput(context, path)).toString();
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new NettoolError('INPUT_FAILED', `${path} holds no certificate in PEM form`);
}

async function readClientIdentity(context: Context, cert: string, { key, keyPass }: AllFlags) {
  const { readClientIdentity: read } = await import('../core/net/client-identity.js');
  const passphrase = keyPass === undefined ? undefined : (await readSecret(context, keyPass)).value;
  if (passphrase !== undefined) context.addSecret(passphrase);
  const at = (path: string): string => resolve(context.io.cwd, path);
  return read(at(cert), key === undefined ? at(cert) : at(key), passphrase);
}

/** `--proxy` for everything, else the environment's, which is asked for each URL. */
async function toProxyChoice(context: Context, { proxy }: AllFlags): Promise<SendOptions['chooseProxy']> {
  if (proxy === '') return undefined;
  const { env } = context.io;
  if (proxy === undefined && !Object.keys(env).some((name) => /^(https?|all)_proxy$/i.test(name))) {
    return undefined;
  }
  const { parseProxyAddress } = await import('../core/net/proxy-address.js');
  const { chooseProxy } = await import('../core/net/proxy-choice.js');
  const remember = <T extends { password?: string | undefined } | undefined>(address: T): T => {
    if (address?.password !== undefined) context.addSecret(address.password);
    return address;
  };
  if (proxy === undefined) return (url) => remember(chooseProxy(url, env));
  const typed =
    proxy.startsWith('env:') || proxy.startsWith('@') ? (await readSecret(context, proxy)).value : proxy;
  const address = remember(parseProxyAddress(typed));
  return () => address;
}

function toResolveMap(typed: readonly string[]): Map<string, HostAddress[]> {
  const map = new Map<string, HostAddress[]>();
  for (const text of typed) {
    const parsed = parseResolve(text);
    if (parsed === undefined) {
      throw new NettoolError('USAGE', `bad --resolve '${text}'`, { hint: 'like example.org:443:127.0.0.1' });
    }
    const [key, addresses] = parsed;
    for (const address of addresses) checkZone(address);
    map.set(
      key,
      addresses.map((address) => ({ address, family: isIP(address) as 4 | 6 })),
    );
  }
  return map;
}

/** A zone that does not exist would count as none, and the connection only time out. */
function checkZone(address: string): void {
  const zone = address.split('%')[1];
  if (zone === undefined || /^\d+$/.test(zone) || networkInterfaces()[zone] !== undefined) return;
  throw noInterface(zone);
}

/** An address, or the first one of the interface of that name. */
function toLocalAddress(name: string, { ipv6 }: AllFlags): string {
  if (isIP(name) !== 0) return name;
  const wanted = ipv6 === true ? 'IPv6' : 'IPv4';
  const addresses = networkInterfaces()[name];
  const address = addresses?.find(({ family }) => family === wanted) ?? addresses?.[0];
  if (address !== undefined) return address.address;
  throw noInterface(name);
}

function noInterface(name: string): NettoolError {
  return new NettoolError('ADDRESS_NOT_AVAILABLE', `this machine has no interface or address '${name}'`, {
    hint: "'nettool ifconfig' lists them",
  });
}
