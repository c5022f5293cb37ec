import { isIP } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';

/** 4 or 6. */
export type IpFamily = 4 | 6;

/** One address of a host. */
export interface ResolvedAddress {
  /** With the zone (`fe80::1%eth0`) when the caller gave one. */
  readonly address: string;
  readonly family: IpFamily;
}

/** Every address of a host in the order of the system's resolver, or an error that names the host. */
export async function lookupAddresses(host: string, family?: IpFamily): Promise<ResolvedAddress[]> {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const literal = isIP(bare);
  if (literal !== 0) {
    if (family !== undefined && literal !== family) {
      throw new NettoolError('DNS_NOT_FOUND', `cannot resolve ${host} (not an IPv${family} address)`);
    }
    return [{ address: bare, family: literal as IpFamily }];
  }
  try {
    const { lookup } = await import('node:dns/promises');
    const found = await lookup(bare, { all: true, order: 'verbatim', family: family ?? 0 });
    const addresses = found.filter(
      (entry): entry is ResolvedAddress => entry.family === 4 || entry.family === 6,
    );
    if (addresses.length > 0) return addresses;
  } catch (error) {
    throw toNettoolError(error, `cannot resolve ${host}`);
  }
  throw new NettoolError('DNS_NOT_FOUND', `cannot resolve ${host} (the name has no address)`);
}

/** The name of an address when the resolver knows one within the time given; else `undefined`. */
export async function lookupName(address: string, timeoutMs: number): Promise<string | undefined> {
  const { lookupService } = await import('node:dns/promises');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined);
  });
  const found = lookupService(address, 0).then(
    ({ hostname }) => (hostname === address ? undefined : hostname),
    () => undefined,
  );
  return Promise.race([found, late]).finally(() => clearTimeout(timer));
}
