import { BlockList, isIP } from 'node:net';
import { NettoolError } from '../errors.js';

/** Whether an address is one of those, given as addresses and networks (`10.0.0.0/8`, `::1`). */
export function createTrust(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const version = isIP(address);
    const bits = prefix === undefined ? (version === 4 ? 32 : 128) : Number(prefix);
    const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && bits <= (version === 4 ? 32 : 128));
    if (version === 0 || !isPrefix) {
      throw new NettoolError('USAGE', `${network} is neither an address nor a network`, {
        hint: 'networks are written as 10.0.0.0/8 or fd00::/8',
      });
    }
    list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
}
