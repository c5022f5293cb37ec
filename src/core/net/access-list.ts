import { normalizeAddress } from './address.js';
import { createTrust } from './trust.js';

/** Who may connect: addresses or networks (`10.0.0.0/8`, `::1`); a denied one is denied even when allowed. */
export interface AccessRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** A check of addresses against rules; without `allow` rules everybody who is not denied may. */
export function createAccessCheck({ allow, deny }: AccessRules): (address: string) => boolean {
  const allowed = createTrust(allow);
  const denied = createTrust(deny);
  return (remote) => {
    const address = normalizeAddress(remote).split('%')[0] ?? '';
    return !denied(address) && (allow.length === 0 || allowed(address));
  };
}
