import { BlockList, isIP } from 'node:net';
import { NettoolError } from '../errors.js';
import { normalizeAddress } from './address.js';

/** Who may connect: addresses or networks (`10.0.0.0/8`, `::1`); a denied one is denied even when allowed. */
export interface AccessRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** A check of addresses against rules; without `allow` rules everybody who is not denied may. */
export function createAccessCheck({ allow, deny }: AccessRules): (address: string) => boolean {
  const allowed = createList(allow);
  const denied = createList(deny);
  return (remote) => {
    const address = normalizeAddress(remote).split('%')[0] ?? '';
    return !denied(address) && (allow.length === 0 || allowed(address));
  };
}

/** One list per family: node's takes `::/0` for every IPv4 address too. */
function createList(rules: readonly string[]): (address: string) => boolean {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const rule of rules) {
    const [address = '', length, extra] = rule.split('/');
    const family = familyOf(address);
    const bits = length === undefined ? undefined : Number(length);
    const fits =
      length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (family === 'ipv6' ? 128 : 32));
    if (family === undefined || !fits || extra !== undefined) {
      throw new NettoolError('USAGE', `'${rule}' is not an address or network (like 10.0.0.0/8 or ::1)`);
    }
    if (bits === undefined) lists[family].addAddress(address, family);
    else lists[family].addSubnet(address, bits, family);
  }
  return (address) => {
    const family = familyOf(address);
    return family !== undefined && lists[family].check(address, family);
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : `ipv${version as 4 | 6}`;
}
