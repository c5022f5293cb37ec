import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READ_BYTES = 64 * 1024;

/** Bytes that wait on disk, first in first out. */
export interface Spool {
  /** How many wait. */
  readonly sizeBytes: number;
  push(bytes: Buffer): void;
  /** The oldest ones, or `undefined` when none are left. */
  shift(): Buffer | undefined;
  close(): void;
}

let lastName = 0;

/** A {@link Spool} in a temporary file without a name, which is gone with the process. */
export function createSpool(): Spool {
  lastName += 1;
  const path = join(tmpdir(), `nettool-spool-${process.pid}-${Date.now()}-${lastName}`);
  const fd = openSync(path, 'wx+', 0o600);
  let named = !tryRemove(path);
  let head = 0;
  let tail = 0;
  return {
    get sizeBytes() {
      return tail - head;
    },
    push(bytes) {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, tail + at);
      tail += bytes.length;
    },
    shift() {
      if (head === tail) return undefined;
      const block = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, tail - head));
      const size = readSync(fd, block, 0, block.length, head);
      head += size;
      if (head === tail) {
        ftruncateSync(fd);
        head = 0;
        tail = 0;
      }
      return block.subarray(0, size);
    },
    close() {
      closeSync(fd);
      if (named) named = !tryRemove(path);
    },
  };
}

/** Windows removes no open file: there it goes when it is closed. */
function tryRemove(path: string): boolean {
  try {
    rmSync(path);
    return true;
  } catch {
    return false;
  }
}
