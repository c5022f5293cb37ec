import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { GatewayError } from './gateway-error.js';

/** A body that has arrived in full. */
export interface SpooledBody {
  readonly sizeBytes: number;
  /** All of it, when it is small enough to be kept in memory. */
  readonly bytes?: Buffer;
  /** The bytes from the start, as often as asked. */
  stream(): Readable;
  /** Lets go of the file. */
  dispose(): Promise<void>;
}

/** How much is kept in memory, and how much is taken at all. */
export interface SpoolOptions {
  readonly memoryBytes?: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

const MEMORY_BYTES = 1024 * 1024;

/**
 * Takes in a whole body: in memory while it is small, else in a file that has no name any more. What stands behind
 * us then never waits for a slow client, and knows the size of what it gets. Too much is a 413.
 */
export async function spoolBody(body: Readable, options: SpoolOptions = {}): Promise<SpooledBody> {
  const { memoryBytes = MEMORY_BYTES, maxBytes = Number.POSITIVE_INFINITY, signal } = options;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let file: FileHandle | undefined;
  try {
    for await (const chunk of body) {
      signal?.throwIfAborted();
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
      sizeBytes += bytes.byteLength;
      if (sizeBytes > maxBytes) throw new GatewayError(413, `the body is larger than ${maxBytes} bytes`);
      if (file === undefined && sizeBytes > memoryBytes) {
        file = await openNameless();
        for (const kept of chunks.splice(0)) await file.appendFile(kept);
      }
      if (file === undefined) chunks.push(bytes);
      else await file.appendFile(bytes);
    }
  } catch (error) {
    await file?.close();
    throw error;
  }
  return file === undefined ? inMemory(Buffer.concat(chunks, sizeBytes)) : onDisk(file, sizeBytes);
}

function inMemory(bytes: Buffer): SpooledBody {
  return {
    sizeBytes: bytes.byteLength,
    bytes,
    stream: () => Readable.from(bytes.byteLength === 0 ? [] : [bytes], { objectMode: false }),
    dispose: async () => {},
  };
}

function onDisk(file: FileHandle, sizeBytes: number): SpooledBody {
  let isClosed = false;
  return {
    sizeBytes,
    stream: () => file.createReadStream({ start: 0, autoClose: false, highWaterMark: 256 * 1024 }),
    async dispose() {
      if (isClosed) return;
      isClosed = true;
      await file.close();
    },
  };
}

/** A file that vanishes with its descriptor. Where a file that is open cannot be unlinked, its name stays until then. */
async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `nettool-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await rm(path, { force: true }).catch(() => {});
  return file;
}
