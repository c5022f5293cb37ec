import { closeSync, constants, openSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { NettoolError, toNettoolError } from '../../core/errors.js';
import { LineBatch } from './line-batch.js';

/** Text that may wait in a stream whose reader is slow; what comes beyond it is not said. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** Whoever is not root and not of the group has no business with addresses of visitors. */
const MODE = 0o640;

/** Takes the lines of a log. */
export interface LogSink {
  /** Takes one line, without its newline. */
  readonly write: (line: string) => void;
  /** Opens the file of that name anew: the old one was moved away (logrotate). Nothing to do for a stream. */
  reopen(): void;
  /** Writes what has been gathered, and ends. */
  close(): void;
}

/**
 * Opens a log file for appending. Lines are written together, each batch in one write, also at the end of the
 * process; what cannot be written is lost, with one warning, and stops nobody.
 */
export function openLogFile(path: string, warn: (sentence: string) => void): LogSink {
  return new LogFile(path, warn);
}

/** A log on a stream (stderr), its lines written together; a reader that does not keep up loses some. */
export function createStreamLog(stream: Writable): LogSink {
  const batch = new LineBatch((text) => {
    if (stream.writableLength < MAX_WAITING_BYTES) stream.write(text);
  });
  process.on('exit', batch.flush);
  return {
    write: batch.add,
    reopen() {},
    close() {
      process.off('exit', batch.flush);
      batch.flush();
    },
  };
}

class LogFile implements LogSink {
  readonly write: (line: string) => void;
  readonly #path: string;
  readonly #warn: (sentence: string) => void;
  readonly #batch: LineBatch;
  #fd: number;
  #isFailing = false;
  /** A write that failed may have left half a line. */
  #isTorn = false;

  constructor(path: string, warn: (sentence: string) => void) {
    this.#path = path;
    this.#warn = warn;
    this.#fd = open(path);
    this.#batch = new LineBatch((text) => this.#append(text));
    this.write = this.#batch.add;
    process.on('exit', this.#batch.flush);
  }

  reopen(): void {
    // What was said until now belongs into the old file.
    this.#batch.flush();
    if (this.#fd === -1) return;
    try {
      const fd = open(this.#path);
      closeSync(this.#fd);
      this.#fd = fd;
    } catch (error) {
      this.#warn(`${toNettoolError(error).message}; the old file is written on`);
    }
  }

  close(): void {
    this.#batch.flush();
    process.off('exit', this.#batch.flush);
    if (this.#fd !== -1) closeSync(this.#fd);
    this.#fd = -1;
  }

  #append(text: string): void {
    if (this.#fd === -1) return;
    const bytes = Buffer.from(this.#isTorn ? `\n${text}` : text);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
      this.#isFailing = false;
      this.#isTorn = false;
    } catch (error) {
      this.#isTorn ||= written > 0;
      if (!this.#isFailing) this.#warn(`${toNettoolError(error, `cannot write ${this.#path}`).message}`);
      this.#isFailing = true;
    }
  }
}

/** Appending, so that several processes can share the file; never waiting for the reader of a pipe. */
function open(path: string): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NONBLOCK = 0 } = constants;
  try {
    return openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, MODE);
  } catch (cause) {
    const { message } = toNettoolError(cause, `cannot open the log file ${path}`);
    throw new NettoolError('OUTPUT_FAILED', message, { cause });
  }
}
