import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NettoolError, toNettoolError } from '../errors.js';
import { applyChanges, type CookieChange, type SavedCookies } from './cookies.js';
import type { HeaderPair } from './messages.js';

/** What a session remembers of one host (`name` or `name:port`). */
export interface HostMemory {
  readonly headers: readonly HeaderPair[];
  /** The Authorization of later requests, or `USER:PASS` for Digest. */
  readonly auth?: { readonly type: 'header' | 'digest'; readonly value: string } | undefined;
}

/** A session as its file holds it. */
export interface Session {
  readonly version: 1;
  readonly hosts: Readonly<Record<string, HostMemory>>;
  readonly cookies?: SavedCookies | undefined;
}

/** What one run adds to a session. */
export interface SessionUpdate {
  readonly host: string;
  readonly memory: HostMemory;
  readonly changes: readonly CookieChange[];
}

const EMPTY: Session = { version: 1, hosts: {} };

const LOCK_PATIENCE_MS = 10_000;
const LOCK_PAUSE_MS = 20;

/** Reads a session; one that is not there yet is empty. */
export async function readSession(path: string): Promise<Session> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw new NettoolError('INPUT_FAILED', toNettoolError(error, `cannot read the session ${path}`).message);
  }
  try {
    const session = JSON.parse(text) as Session;
    if (session.version === 1 && typeof session.hosts === 'object') return session;
  } catch {
    // Told below: whatever it is, it must not be overwritten.
  }
  throw new NettoolError('INPUT_FAILED', `${path} is not a session of nettool`);
}

/**
 * Adds what a run has brought to a session: under a lock, to what the file holds by then, so that runs at the same
 * time lose nothing. The file appears whole or not at all, and is its owner's only (0600).
 */
export async function updateSession(path: string, update: SessionUpdate): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const unlock = await lock(`${path}.lock`);
    try {
      const session = await readSession(path);
      const known = session.hosts[update.host];
      const memory = { ...known, ...withoutUndefined(update.memory) };
      const headers = mergeHeaders(known?.headers ?? [], update.memory.headers);
      const hosts = { ...session.hosts, [update.host]: { ...memory, headers } };
      const cookies = await applyChanges(session.cookies, update.changes);
      await replaceFile(path, `${JSON.stringify({ version: 1, hosts, cookies }, null, 2)}\n`);
    } finally {
      await unlock();
    }
  } catch (error) {
    if (error instanceof NettoolError && error.code !== 'INPUT_FAILED') throw error;
    if (error instanceof NettoolError) throw error;
    const { message } = toNettoolError(error, `cannot write the session ${path}`);
    throw new NettoolError('OUTPUT_FAILED', message, { cause: error });
  }
}

function withoutUndefined({ auth }: HostMemory): Partial<HostMemory> {
  return auth === undefined ? {} : { auth };
}

function mergeHeaders(known: readonly HeaderPair[], added: readonly HeaderPair[]): HeaderPair[] {
  const newer = new Set(added.map(([name]) => name.toLowerCase()));
  return [...known.filter(([name]) => !newer.has(name.toLowerCase())), ...added];
}

/** Readable by its owner only from the first byte on, and renamed into place when it is on the disk. */
async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  const file = await open(fresh, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await rename(fresh, path);
  } catch (error) {
    await file.close().catch(() => {});
    await unlink(fresh).catch(() => {});
    throw error;
  }
}

/** A file that only one process can make; what a process that has died left is taken away. */
async function lock(path: string): Promise<() => Promise<void>> {
  const until = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return () => unlink(path).catch(() => {});
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await isAbandoned(path)) await unlink(path).catch(() => {});
    else if (performance.now() > until) {
      throw new NettoolError('OUTPUT_FAILED', `the session is locked by another process (${path})`, {
        hint: 'remove that file if no nettool is running',
      });
    } else await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS * (0.5 + Math.random())));
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  // Just being made, or gone already.
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
