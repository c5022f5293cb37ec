import { BlockList, isIP } from 'node:net';
import { type ProxyAddress, parseProxyAddress } from './proxy-address.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL by the environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, in both cases);
 * `undefined` goes straight. Loopback is never reached through one.
 */
export function chooseProxy(url: URL, env: Environment): ProxyAddress | undefined {
  const read = (name: string): string | undefined => env[name] || env[name.toUpperCase()] || undefined;
  const secure = url.protocol === 'https:';
  // In a CGI program HTTP_PROXY is a request's header `Proxy` (CVE-2016-5385).
  const plain = env.http_proxy || (env.REQUEST_METHOD === undefined ? env.HTTP_PROXY : undefined);
  const typed = (secure ? read('https_proxy') : plain) || read('all_proxy');
  if (!typed || isLoopback(hostOf(url)) || matchesNoProxy(url, read('no_proxy') ?? '')) return undefined;
  return parseProxyAddress(typed);
}

/** Whether a URL is named in a `no_proxy` list: suffixes of names, addresses, networks, a port behind any, or `*`. */
export function matchesNoProxy(url: URL, list: string): boolean {
  const host = hostOf(url);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list.split(/[\s,]+/).some((entry) => entry !== '' && matchesEntry(entry.toLowerCase(), host, port));
}

function matchesEntry(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [, bare = entry, entryPort] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(entry) ?? [];
  if (entryPort !== undefined && entryPort !== port) return false;
  const name = bare.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(host);
  if (version !== 0) return matchesNetwork(name, host, version === 6 ? 'ipv6' : 'ipv4');
  const suffix = name.replace(/^\*?\.?/, '').replace(/\.$/, '');
  return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`));
}

function matchesNetwork(entry: string, host: string, family: 'ipv4' | 'ipv6'): boolean {
  const [address = '', length] = entry.split('/');
  const version = isIP(address);
  if (version === 0 || (version === 6) !== (family === 'ipv6')) return false;
  const bits = length === undefined ? (version === 6 ? 128 : 32) : Number(length);
  if (!Number.isInteger(bits) || bits < 0 || bits > (version === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(address, bits, family);
  return list.check(host, family);
}

function hostOf(url: URL): string {
  return url.hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\./.test(host);
}
