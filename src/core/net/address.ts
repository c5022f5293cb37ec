import { isIPv6 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** `host:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2). */
export function formatHostPort(host: string, port: number): string {
  // Nothing else has a colon in it, and the full test costs milliseconds the first time.
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `example.org:80`, `127.0.0.1:80` or `[::1]:80` as its parts; `undefined` when it is none of them. */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  const [, bracketed, plain] = match;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  return plain === undefined ? undefined : { host: plain, port };
}

/** An IPv4 client of a dual-stack socket by its own address: `::ffff:127.0.0.1` → `127.0.0.1`. */
export function normalizeAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

/** The URL of a server at a host name or address; a zone is written as RFC 6874 asks. */
export function formatUrl(scheme: string, host: string, port: number): string {
  const isDefault = (scheme === 'http' && port === 80) || (scheme === 'https' && port === 443);
  const authority = formatHostPort(host, port).replace('%', '%25');
  return `${scheme}://${isDefault ? authority.replace(/:\d+$/, '') : authority}/`;
}

/** Whether an address stands for every address of this machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * Every URL a server bound to `host` can be reached at. A wildcard stands for each address of this machine,
 * loopback first; link-local addresses are left out, since no browser takes their zone.
 */
export function reachableUrls(
  scheme: string,
  host: string,
  port: number,
  interfaces: Interfaces = networkInterfaces(),
): string[] {
  if (!isWildcard(host)) return [formatUrl(scheme, host, port)];
  const dualStack = isIPv6(host);
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const reachable = all.filter(
    ({ family, address }) => family === 'IPv4' || (dualStack && !/^fe[89ab]/i.test(address)),
  );
  reachable.sort((a, b) => Number(b.internal) - Number(a.internal));
  const hosts = new Set([dualStack ? '::1' : '127.0.0.1', ...reachable.map(({ address }) => address)]);
  return [...hosts].map((address) => formatUrl(scheme, address, port));
}
