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
  const allowed = toList(allow);
  const denied = toList(deny);
  return (remote) => {
    const address = normalizeAddress(remote).split('%')[0] ?? '';
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    return !denied.check(address, family) && (allow.length === 0 || allowed.check(address, family));
  };
}

function toList(rules: readonly string[]): BlockList {
  const list = new BlockList();
  for (const rule of rules) {
    const [address = '', length] = rule.split('/');
    const version = isIP(address);
    const bits = length === undefined ? undefined : Number(length);
    const fits = bits === undefined || (/^\d+$/.test(length ?? '') && bits <= (version === 6 ? 128 : 32));
    if (version === 0 || !fits) {
      throw new NettoolError('USAGE', `'${rule}' is not an address or network (like 10.0.0.0/8 or ::1)`);
    }
    const family = version === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, bits, family);
  }
  return list;
}
