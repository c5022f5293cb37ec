import { unwatchFile, watchFile } from 'node:fs';
import { type NettoolError, toNettoolError } from '../errors.js';
import { type Identity, readIdentity } from './tls.js';

/** How often the files are looked at: a link to them, or a folder above, may be what changes. */
const INTERVAL_MS = 1000;

/** A certificate and its key are two files: the second is given so long to follow. */
const SETTLE_MS = 500;

/** How to watch. */
export interface WatchIdentityOptions {
  /** What is in use: files that have changed since it was read are noticed too. */
  readonly current: Identity;
  /** Gets why a changed pair cannot be used; the old one is to be kept. */
  readonly onError: (error: NettoolError) => void;
  readonly intervalMs?: number;
  readonly settleMs?: number;
}

/** Reads a certificate and its key again whenever a file of them changes, until the function it returns is called. */
export function watchIdentity(
  certPath: string,
  keyPath: string,
  onChange: (identity: Identity) => void,
  options: WatchIdentityOptions,
): () => void {
  const { current, onError, intervalMs = INTERVAL_MS, settleMs = SETTLE_MS } = options;
  const paths = [...new Set([certPath, keyPath])];
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let last = textOf(current);
  const look = async (): Promise<void> => {
    try {
      const identity = await readIdentity(certPath, keyPath);
      const text = textOf(identity);
      if (isOver || text === last) return;
      last = text;
      onChange(identity);
    } catch (error) {
      if (!isOver) onError(toNettoolError(error));
    }
  };
  const lookSoon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(look, settleMs).unref();
  };
  for (const path of paths) watchFile(path, { interval: intervalMs, persistent: false }, lookSoon);
  lookSoon();
  return () => {
    isOver = true;
    clearTimeout(timer);
    for (const path of paths) unwatchFile(path, lookSoon);
  };
}

function textOf({ cert, key }: Identity): string {
  return `${cert}\n${key}`;
}
