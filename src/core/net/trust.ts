import { BlockList, isIP } from 'node:net';
import { NettoolError } from '../errors.js';

/**
 * Whether an address is one of those, given as addresses and networks (`10.0.0.0/8`, `::1`); `unix` is everybody who
 * comes by a Unix socket, and has no address.
 */
export function createTrust(networks: readonly string[]): (address: string) => boolean {
  if (networks.length === 0) return () => false;
  // One list per family: node's takes `::/0` for every IPv4 address too.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of networks) {
    if (network === 'unix') continue;
    const [address = '', length, extra] = network.split('/');
    const family = familyOf(address);
    const most = family === 'ipv6' ? 128 : 32;
    const fits = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= most);
    if (family === undefined || !fits || extra !== undefined) {
      throw new NettoolError(
        'USAGE',
        `'${network}' is not an address or network (like 10.0.0.0/8, ::1 or unix)`,
      );
    }
    lists[family].addSubnet(address, length === undefined ? most : Number(length), family);
  }
  const trustsLocal = networks.includes('unix');
  return (address) => {
    if (address === '') return trustsLocal;
    const family = familyOf(address);
    return family !== undefined && lists[family].check(address, family);
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : `ipv${version as 4 | 6}`;
}
