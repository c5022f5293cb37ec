import { lookup as lookupName } from 'node:dns';
import { isIP } from 'node:net';
import { flattenCauses, toNettoolError } from '../errors.js';

/** An address a name stands for. */
export interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** How a name is looked up. */
export interface LookupOptions {
  /** Only addresses of this family; both when left out. */
  readonly family?: 4 | 6 | undefined;
  readonly signal: AbortSignal;
}

/** The addresses of a host in the system's order of preference (getaddrinfo); an address stands for itself. */
export async function lookup(host: string, options: LookupOptions): Promise<HostAddress[]> {
  const literal = isIP(host);
  if (literal !== 0) return [{ address: host, family: literal as 4 | 6 }];
  try {
    return await resolve(host, options);
  } catch (error) {
    // An IPv6-only answer to a question for IPv4 comes back as ENOTFOUND too, which is what it is.
    if (options.signal.aborted) throw options.signal.reason;
    throw toNettoolError(flattenCauses(error)[0], `cannot resolve ${host}`);
  }
}

function resolve(host: string, { family = undefined, signal }: LookupOptions): Promise<HostAddress[]> {
  return new Promise((done, fail) => {
    const onAbort = (): void => fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    // getaddrinfo cannot be interrupted: an abort only stops the waiting for it.
    lookupName(host, { all: true, order: 'verbatim', family: family ?? 0 }, (error, addresses) => {
      signal.removeEventListener('abort', onAbort);
      if (error !== null) fail(error);
      else done(addresses as HostAddress[]);
    });
  });
}
