import { lookup as lookupHost, lookupService } from 'node:dns';
import { isIP } from 'node:net';
import { flattenCauses, NettoolError, toNettoolError } from '../errors.js';

/** 4 or 6. */
export type IpFamily = 4 | 6;

/** An address a name stands for. */
export interface HostAddress {
  /** With the zone (`fe80::1%eth0`) when the caller gave one. */
  readonly address: string;
  readonly family: IpFamily;
}

/** How a name is looked up. */
export interface LookupOptions {
  /** Only addresses of this family; both when left out. */
  readonly family?: IpFamily | undefined;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The addresses of a host in the system's order of preference (getaddrinfo), or an error that names the host.
 * An address, in brackets or not, stands for itself.
 */
export async function lookup(host: string, options: LookupOptions = {}): Promise<HostAddress[]> {
  const { family, signal } = options;
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const literal = isIP(bare);
  if (literal !== 0) {
    if (family !== undefined && literal !== family) {
      throw new NettoolError('DNS_NOT_FOUND', `cannot resolve ${host} (not an IPv${family} address)`);
    }
    return [{ address: bare, family: literal as IpFamily }];
  }
  try {
    return await resolve(bare, options);
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    // An IPv6-only answer to a question for IPv4 comes back as ENOTFOUND too, which is what it is.
    throw toNettoolError(flattenCauses(error)[0], `cannot resolve ${host}`);
  }
}

function resolve(host: string, { family, signal }: LookupOptions): Promise<HostAddress[]> {
  return new Promise((done, fail) => {
    signal?.throwIfAborted();
    const onAbort = (): void => fail(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    // getaddrinfo cannot be interrupted: an abort only stops the waiting for it.
    lookupHost(host, { all: true, order: 'verbatim', family: family ?? 0 }, (error, addresses) => {
      signal?.removeEventListener('abort', onAbort);
      if (error !== null) fail(error);
      else done(addresses as HostAddress[]);
    });
  });
}

/** The name of an address when the resolver knows one within the time given; else `undefined`. */
export function lookupName(address: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((done) => {
    const timer = setTimeout(done, timeoutMs, undefined);
    lookupService(address, 0, (error, hostname) => {
      clearTimeout(timer);
      done(error !== null || hostname === address ? undefined : hostname);
    });
  });
}
