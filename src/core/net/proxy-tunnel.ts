import type { Socket } from 'node:net';
import { NettoolError } from '../errors.js';
import { formatHostPort } from './address.js';
import type { ConnectOptions, ProxyPath } from './connect.js';
import { lookup } from './lookup.js';
import { openTunnel } from './proxy.js';

/** Takes a socket that is connected to a proxy to where it is to lead: TLS to the proxy, then the tunnel. */
export async function goThrough(
  socket: Socket,
  { address, tunnel, tls }: ProxyPath,
  options: ConnectOptions,
): Promise<Socket> {
  const { signal } = options;
  const { scheme, host, port, username, password } = address;
  let open = socket;
  if (scheme === 'https') {
    const { startTls } = await import('./tls-client.js');
    const name = `the proxy ${formatHostPort(host, port)}`;
    // Pins and our own certificate are for the target.
    const { ca, insecure, minVersion } = tls ?? {};
    open = await startTls(socket, { host, name, signal }, { ca, insecure, minVersion, alpn: ['http/1.1'] });
  }
  if (!tunnel) return open;
  const resolvesNames = scheme !== 'socks5' && scheme !== 'socks4';
  const target = { host: options.host, port: options.port };
  if (!resolvesNames) target.host = await findAddress(options);
  if (scheme === 'socks4' || scheme === 'socks4a') {
    const { openSocks4 } = await import('./socks4.js');
    await openSocks4(open, address, target, signal);
    return open;
  }
  const kind = scheme === 'http' || scheme === 'https' ? 'http' : 'socks5';
  const login = username === undefined ? {} : { username, password: password ?? '' };
  await openTunnel(open, { kind, host, port, resolvesNames, ...login }, target, signal);
  return open;
}

async function findAddress({ host, port, family, resolve, signal, proxy }: ConnectOptions): Promise<string> {
  const given = resolve?.get(formatHostPort(host, port));
  const only = proxy?.address.scheme === 'socks4' ? 4 : family;
  const [first] = given ?? (await lookup(host, { family: only, signal }));
  if (first === undefined) throw new NettoolError('DNS_NOT_FOUND', `cannot resolve ${host} (no address)`);
  return first.address;
}
