import { once } from 'node:events';
import { constants, type Stats } from 'node:fs';
import { access, type FileHandle, lstat, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type ErrorCode, NettoolError, toNettoolError } from '../../core/errors.js';

/** A file that a body is going to be written to. */
export interface OutputFile {
  /**
   * Writes the whole body. A regular file grows as `NAME.part` beside its place and is renamed when it is complete;
   * what is not one (`/dev/null`, a FIFO, a link) is written directly. Resolves to the number of bytes.
   */
  write(body: Readable): Promise<number>;
}

/** After these what has arrived is good and worth keeping. */
const CUT_SHORT: ReadonlySet<ErrorCode> = new Set([
  'TRUNCATED',
  'TIMEOUT',
  'CONNECTION_BROKEN',
  'INTERRUPTED',
  'TERMINATED',
]);

/** What is on its way to the file at most; written in one go, where chunk after chunk takes twice as long. */
const BUFFER_BYTES = 2 ** 20;

/** A planted link must not be followed; Windows has no such flag. */
const PART_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0);

/** Makes sure that a file can be written before anything is sent; `OUTPUT_FAILED` when not. */
export async function prepareFile(path: string): Promise<OutputFile> {
  try {
    const target = await lstatOrNothing(path);
    if (target?.isDirectory() === true) throw outputError(path, 'is a directory');
    if (target !== undefined && !target.isFile()) return { write: (body) => writeDirectly(body, path) };
    await access(target === undefined ? dirname(path) : path, constants.W_OK);
    if (!(await stat(dirname(path))).isDirectory()) throw outputError(path, 'not a directory');
    const mode = target === undefined ? 0o666 : target.mode & 0o777;
    return { write: (body) => writeWhole(body, path, mode) };
  } catch (error) {
    throw toOutputError(error, path);
  }
}

async function lstatOrNothing(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeDirectly(body: Readable, path: string): Promise<number> {
  const written = { bytes: 0 };
  try {
    await writeAll(body, await open(path, 'w'), written);
    return written.bytes;
  } catch (error) {
    throw toOutputError(error, path);
  }
}

async function writeWhole(body: Readable, path: string, mode: number): Promise<number> {
  const part = join(dirname(path), `${basename(path)}.part`);
  const written = { bytes: 0 };
  const file = await open(part, PART_FLAGS, mode).catch((error) => {
    throw toOutputError(error, path);
  });
  try {
    await writeAll(body, file, written);
    await rename(part, path);
    return written.bytes;
  } catch (error) {
    const failure = toOutputError(error, path);
    const keep = CUT_SHORT.has(failure.code) && written.bytes > 0;
    if (!keep) await unlink(part).catch(() => {});
    if (!keep || failure.hint !== undefined) throw failure;
    const hint = `the ${written.bytes} bytes that arrived are in ${part}`;
    throw new NettoolError(failure.code, failure.message, { hint, cause: failure.cause });
  }
}

/**
 * Unlike a pipeline this brings everything that arrived into the file before it tells that the body broke.
 * Closes the file.
 */
async function writeAll(body: Readable, file: FileHandle, written: { bytes: number }): Promise<void> {
  const stream = file.createWriteStream({ highWaterMark: BUFFER_BYTES });
  const closed = finished(stream);
  closed.catch(() => {});
  try {
    for await (const chunk of body) {
      if (!stream.write(chunk)) await once(stream, 'drain');
    }
  } finally {
    stream.end();
    await closed;
    written.bytes = stream.bytesWritten;
  }
}

function outputError(path: string, words: string): NettoolError {
  return new NettoolError('OUTPUT_FAILED', `cannot write ${path} (${words})`);
}

/** What the body says stands; everything else is the file's fault. */
function toOutputError(error: unknown, path: string): NettoolError {
  if (error instanceof NettoolError) return error;
  const { message } = toNettoolError(error, `cannot write ${path}`);
  return new NettoolError('OUTPUT_FAILED', message, { cause: error });
}
