import { closeSync, constants, ftruncateSync, openSync, type Stats, writeSync } from 'node:fs';
import { access, link, lstat, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type ErrorCode, NettoolError, toNettoolError } from '../../core/errors.js';
import type { Sink } from './byte-sink.js';
import { forgetNote, type PartNote, parseNote, writeNote } from './part-note.js';

/** What hands out the bytes of a file to be. */
export interface Source {
  pour(sink: Sink): Promise<void>;
}

/** A file that a body is going to be written to. */
export interface OutputFile {
  readonly path: string;
  /** It is a regular file, or will be: it grows as `NAME.part`, and can be continued. */
  readonly isRegular: boolean;
  /** What an earlier transfer has left. */
  findPartial(): Promise<Partial | undefined>;
  /** Writes the whole body; resolves to the number of bytes written. */
  write(source: Source, options?: WriteOptions): Promise<number>;
  /** The descriptor of a new, empty `NAME.part` whose ranges are going to be written at once. */
  openGaps(note: PartNote): number;
  /** Gives `NAME.part` its name; `false` in `replace` keeps what has that name already, and resolves to the name taken. */
  finish(replace: boolean): Promise<string>;
  /** Keeps what arrived for another time, or takes it away. */
  giveUp(error: unknown, writtenBytes: number, note?: PartNote): Promise<NettoolError>;
}

/** The beginning of a file. */
export interface Partial {
  readonly sizeBytes: number;
  /** What is known of it. */
  readonly note: globalThis.Partial<PartNote>;
  /** Where the bytes are. */
  readonly path: string;
}

/** How a file is written. */
export interface WriteOptions {
  /** Go on behind so many bytes of `NAME.part`. */
  readonly offset?: number;
  readonly note?: PartNote;
  /** Called when all is written; what it throws keeps the file from appearing. */
  readonly verify?: () => void;
  /** Whether a file of that name is replaced. */
  readonly replace?: boolean;
  /** Told where the file ended up. */
  readonly onName?: (path: string) => void;
}

/** After these what has arrived is good and worth keeping. */
const CUT_SHORT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TRUNCATED',
  'TIMEOUT',
  'CONNECTION_BROKEN',
  'INTERRUPTED',
  'TERMINATED',
]);

/** A planted link must not be followed; Windows has no such flag. */
const PART_FLAGS = constants.O_WRONLY | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);

/** Makes sure that a file can be written before anything is sent; `OUTPUT_FAILED` when not. */
export async function prepareFile(path: string): Promise<OutputFile> {
  try {
    const target = await statOrNothing(path);
    if (target?.isDirectory() === true) throw outputError(path, 'is a directory');
    if (target !== undefined && !target.isFile()) return createDirect(path);
    await access(target === undefined ? dirname(path) : path, constants.W_OK);
    if (!(await stat(dirname(path))).isDirectory()) throw outputError(path, 'not a directory');
    return createRegular(path, target === undefined ? 0o666 : target.mode & 0o777);
  } catch (error) {
    throw toOutputError(error, path);
  }
}

async function statOrNothing(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** `/dev/null`, a FIFO, a link's target: written to as it is. */
function createDirect(path: string): OutputFile {
  const unfit = (): never => {
    throw outputError(path, 'not a regular file');
  };
  return {
    path,
    isRegular: false,
    findPartial: async () => undefined,
    openGaps: unfit,
    finish: unfit,
    giveUp: async (error) => toOutputError(error, path),
    async write(source, { verify, onName } = {}) {
      let bytes = 0;
      try {
        const file = await open(path, 'w');
        try {
          const { fd } = file;
          // A FIFO may have a slow reader: not to be waited for in this thread.
          const isSlow = (await file.stat()).isFIFO();
          await source.pour((chunk) => {
            bytes += chunk.length;
            return isSlow ? file.writeFile(chunk) : writeAll(fd, chunk);
          });
        } finally {
          await file.close();
        }
        verify?.();
        onName?.(path);
        return bytes;
      } catch (error) {
        throw toOutputError(error, path);
      }
    },
  };
}

function createRegular(path: string, mode: number): OutputFile {
  const part = join(dirname(path), `${basename(path)}.part`);
  const notePath = `${part}.json`;
  const openPart = (offset = 0): number => {
    const fd = openSync(part, PART_FLAGS, mode);
    ftruncateSync(fd, offset);
    return fd;
  };
  const file: OutputFile = {
    path,
    isRegular: true,
    openGaps(note) {
      const fd = openPart();
      writeNote(notePath, { ...note, hasGaps: true });
      return fd;
    },
    async findPartial() {
      const note = parseNote(await readFile(notePath, 'utf8').catch(() => ''));
      const left = await statOrNothing(part);
      if (left?.isFile() === true && left.size > 0) {
        if (note.isDecoded === true || note.hasGaps === true) return undefined;
        return { sizeBytes: left.size, note, path: part };
      }
      const shorter = await statOrNothing(path);
      if (shorter === undefined || shorter.size === 0) return undefined;
      return { sizeBytes: shorter.size, note: {}, path };
    },
    async finish(replace) {
      forgetNote(notePath);
      if (!replace) return linkFree(part, path);
      await rename(part, path);
      return path;
    },
    async giveUp(error, writtenBytes, note) {
      const failure = toOutputError(error, path);
      if (!CUT_SHORT.has(failure.code) || writtenBytes === 0) {
        forgetNote(notePath);
        await unlink(part).catch(() => {});
        return failure;
      }
      if (note !== undefined) writeNote(notePath, note);
      if (failure.hint !== undefined) return failure;
      const hint = `the ${writtenBytes} bytes that arrived are in ${part}`;
      return new NettoolError(failure.code, failure.message, { hint, cause: failure.cause });
    },
    async write(source, { offset = 0, note, verify, replace = true, onName } = {}) {
      let size = offset;
      let fd: number | undefined;
      try {
        fd = openPart(offset);
        const target = fd;
        await source.pour((chunk) => {
          // At once: nobody can write it when the power fails.
          if (size === offset && note !== undefined) writeNote(notePath, note);
          writeAll(target, chunk, size);
          size += chunk.length;
        });
        closeSync(fd);
        fd = undefined;
        verify?.();
        onName?.(await file.finish(replace));
        return size;
      } catch (error) {
        if (fd !== undefined) closeSync(fd);
        throw await file.giveUp(error, size, note);
      }
    },
  };
  return file;
}

/** The first free one of `NAME`, `NAME-1`, …: a link, unlike a rename, replaces nothing. */
async function linkFree(part: string, path: string): Promise<string> {
  const [, stem = path, ending = ''] = /^(.*[^/])(\.[^./]{1,16})$/s.exec(path) ?? [];
  for (let number = 0; ; number += 1) {
    const free = number === 0 ? path : `${stem}-${number}${ending}`;
    try {
      await link(part, free);
      await unlink(part);
      return free;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST' && number < 10_000) continue;
      // File systems without links.
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
      if ((await statOrNothing(free)) !== undefined) continue;
      await rename(part, free);
      return free;
    }
  }
}

/** Waits for the disk, which is faster than any queue before it. */
export function writeAll(fd: number, bytes: Buffer, position?: number): undefined {
  for (let written = 0; written < bytes.length; ) {
    const at = position === undefined ? null : position + written;
    written += writeSync(fd, bytes, written, bytes.length - written, at);
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
