import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, lstat, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { NettoolError, toNettoolError } from '../errors.js';
import { isWindows } from './os.js';

/** Text files by their path relative to a folder. */
export type Assets = Readonly<Record<string, string>>;

/**
 * Writes bundled files to disk (a packed binary's files cannot be run in place) and resolves with their folder: the
 * same for the same content, private to this user, complete from the moment it exists.
 */
export async function unpackAssets(name: string, assets: Assets): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(assets)).digest('hex').slice(0, 20);
  const cache = await findCacheFolder();
  const folder = join(cache, `${name}-${hash}`);
  if (await exists(folder)) return folder;
  const fresh = await mkdtemp(join(cache, `.${name}-`));
  try {
    for (const [path, text] of Object.entries(assets)) {
      await mkdir(dirname(join(fresh, path)), { recursive: true });
      await writeFile(join(fresh, path), text, { mode: 0o600 });
    }
    // Several may write at once; the first rename wins, and all have the same content.
    await rename(fresh, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (!(await exists(folder))) throw error;
    });
  } catch (error) {
    throw toNettoolError(error, `cannot write ${folder}`);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return folder;
}

/** The first folder that is ours alone and can be written to: the user's cache, else one below the temporary folder. */
async function findCacheFolder(): Promise<string> {
  const { uid } = userInfo();
  const candidates = [
    process.env.XDG_CACHE_HOME && join(process.env.XDG_CACHE_HOME, 'nettool'),
    join(homedir(), '.cache', 'nettool'),
    join(tmpdir(), `nettool-${uid}`),
  ];
  for (const folder of candidates) {
    if (folder && (await isPrivate(folder, uid))) return folder;
  }
  throw new NettoolError('OUTPUT_FAILED', `cannot write to ${tmpdir()}`, {
    hint: 'the Python side of nettool needs a folder for its script: set XDG_CACHE_HOME to one that can be written',
  });
}

/** Made when it is missing. Code is run from it: nobody else may own it, write to it, or have put a link in its place. */
async function isPrivate(folder: string, uid: number): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const state = await lstat(folder);
    if (!state.isDirectory() || (!isWindows && state.uid !== uid)) return false;
    if (!isWindows && (state.mode & 0o077) !== 0) await chmod(folder, 0o700);
    await access(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
