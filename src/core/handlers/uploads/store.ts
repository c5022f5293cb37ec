import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises';
import type { Place } from './place.js';
import { Refusal } from './refusal.js';

/** How a new file is opened: never one that is there already, never through a link. */
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** File systems without hard links say so in these words. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EINVAL']);

/** What starts every unfinished file: hidden from listings, and no name anyone may upload. */
export const UNFINISHED = '.nettool-';

/** Bytes of a request, written down in the order they come. */
export type Bytes = AsyncIterable<Uint8Array | string>;

/**
 * Writes bytes to an open file from an offset on, at the disk's pace. Returns how many there were; more than
 * `mostBytes` is 413, and what is beyond it is not read.
 */
export async function writeBytes(
  file: FileHandle,
  bytes: Bytes,
  options: { readonly offset: number; readonly mostBytes: number },
): Promise<number> {
  let written = 0;
  for await (const piece of bytes) {
    const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (written + chunk.byteLength > options.mostBytes) throw new Refusal(413, 'the file is too large');
    for (let done = 0; done < chunk.byteLength; ) {
      const at = options.offset + written + done;
      done += (await file.write(chunk, done, chunk.byteLength - done, at)).bytesWritten;
    }
    written += chunk.byteLength;
  }
  return written;
}

/** Receives a whole file under a name nobody sees, then gives it its own. Whatever goes wrong leaves nothing behind. */
export async function storeFile(
  place: Place,
  name: string,
  bytes: Bytes,
  options: {
    readonly maxBytes: number;
    readonly overwrite: boolean;
    readonly expectedBytes?: number | undefined;
  },
): Promise<{ created: boolean; sizeBytes: number }> {
  const { maxBytes, overwrite, expectedBytes } = options;
  const unfinished = place.pathOf(`${UNFINISHED}${randomBytes(12).toString('hex')}.part`);
  const file = await open(unfinished, CREATE, 0o666);
  try {
    let sizeBytes: number;
    try {
      sizeBytes = await writeBytes(file, bytes, { offset: 0, mostBytes: maxBytes });
    } finally {
      await file.close();
    }
    if (expectedBytes !== undefined && sizeBytes !== expectedBytes) {
      throw new Refusal(400, 'the file ended early');
    }
    return { created: await publish(place, unfinished, name, overwrite), sizeBytes };
  } finally {
    await unlink(unfinished).catch(() => {});
  }
}

/**
 * Gives a finished file its name. Without `overwrite` a name that is taken, even since a moment ago, is 409: a hard
 * link never replaces anything. Returns whether the name is new.
 */
export async function publish(
  place: Place,
  unfinished: string,
  name: string,
  overwrite: boolean,
): Promise<boolean> {
  const path = place.pathOf(name);
  if (overwrite) {
    const isNew = !(await exists(path));
    await rename(unfinished, path);
    return isNew;
  }
  try {
    await link(unfinished, path);
    await unlink(unfinished);
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await reserveAndRename(unfinished, path);
  }
  return true;
}

/** Without hard links: whoever makes the empty file first owns the name, and only its own is replaced. */
async function reserveAndRename(unfinished: string, path: string): Promise<void> {
  await (await open(path, CREATE, 0o666)).close();
  try {
    await rename(unfinished, path);
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  }
}

/** Whether a name is taken, be it by a link that leads nowhere. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
