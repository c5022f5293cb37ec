import { X509Certificate } from 'node:crypto';
import { type NettoolError, toNettoolError } from '../errors.js';
import { createLocalIdentity, type LocalIdentity, renewalOf } from './local-ca.js';

/** A timer for the day itself would be too long for the system's, and wrong when the machine sleeps. */
const INTERVAL_MS = 60 * 60 * 1000;

/** How a certificate of {@link createLocalIdentity} is kept from expiring. */
export interface RenewIdentityOptions {
  readonly folder: string;
  readonly hosts: readonly string[];
  /** The certificate in use (PEM). */
  readonly current: string;
  /** Gets why there is no new one yet; the old one is to be kept. */
  readonly onError: (error: NettoolError) => void;
  readonly intervalMs?: number;
  readonly now?: () => Date;
}

/**
 * Makes this machine's certificate anew before it expires, or takes what another process has made; until the function
 * it returns is called.
 */
export function renewIdentity(
  onChange: (identity: LocalIdentity) => void,
  options: RenewIdentityOptions,
): () => void {
  const { folder, hosts, current, onError, intervalMs = INTERVAL_MS, now = () => new Date() } = options;
  let renewAt = renewalOf(new X509Certificate(current));
  let isOver = false;
  let isAsking = false;
  const look = async (): Promise<void> => {
    if (now() < renewAt || isAsking) return;
    isAsking = true;
    try {
      const identity = await createLocalIdentity(folder, hosts, now());
      if (isOver) return;
      renewAt = identity.renewAt;
      onChange(identity);
    } catch (error) {
      if (!isOver) onError(toNettoolError(error));
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(look, intervalMs).unref();
  // A worker that starts today is given what its master had at its own start.
  void look();
  return () => {
    isOver = true;
    clearInterval(timer);
  };
}
