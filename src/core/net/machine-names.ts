import { isIP } from 'node:net';
import { hostname, type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { domainToASCII } from 'node:url';
import { isWildcard } from './address.js';

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * Every name and address this machine can be called by, those given first: what a certificate for it must list.
 * Link-local addresses are left out (no browser takes their zone), wildcards are no one's name.
 */
export function listMachineNames(
  given: readonly string[],
  machine: string = hostname(),
  interfaces: Interfaces = networkInterfaces(),
): string[] {
  // Apple's and Avahi's name for it in the local network (RFC 6762).
  const names = machine.includes('.') ? [machine] : [machine, `${machine}.local`];
  const addresses = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .map(({ address }) => address)
    .filter((address) => !/^fe[89ab]/i.test(address))
    .sort();
  const all = [...given, 'localhost', '127.0.0.1', '::1', ...names, ...addresses];
  return [...new Set(all.filter((name) => !isWildcard(name)).flatMap(toCertifiable))];
}

/** A name as certificates write it; nothing for one they cannot. */
function toCertifiable(name: string): string[] {
  if (isIP(name) !== 0) return name.includes('%') ? [] : [name];
  const ascii = domainToASCII(name);
  return /^(?!.*\.\.)[a-z0-9_][a-z0-9_.-]{0,252}$/.test(ascii) ? [ascii] : [];
}
