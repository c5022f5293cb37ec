import {
  accessSync,
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs';
import type { Readable } from 'node:stream';
import { NettoolError, toNettoolError } from '../errors.js';
import { type Sink, transfer } from './flow.js';

/** Large enough that the calls do not count, small enough to stay in the processor's cache. */
const BLOCK_BYTES = 256 * 1024;

/** Blocks read in one turn of the event loop, so that timers and signals get theirs. */
const BLOCKS_PER_TURN = 8;

/** Where what we send comes from. */
export type Source =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stream'; readonly stream: Readable };

/** Everything a source has, into a sink, at the sink's pace. */
export async function sendSource(source: Source, sink: Sink, signal?: AbortSignal): Promise<void> {
  switch (source.kind) {
    case 'none':
      return;
    case 'bytes':
      if (source.bytes.length > 0) await sink(source.bytes);
      return;
    case 'file':
      return sendPath(source.path, sink, signal);
    case 'stream':
      return sendStream(source.stream, sink, signal);
  }
}

/** Whether a source ends by itself, whatever happens elsewhere: not a terminal, pipe or socket. */
export function endsByItself(source: Source): boolean {
  return source.kind !== 'stream' || fileDescriptor(source.stream) !== undefined;
}

/** Makes sure a file can be read before anybody is connected to. */
export function checkReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw toNettoolError(error, `cannot read ${path}`);
  }
  if (statSync(path).isDirectory())
    throw new NettoolError('INPUT_FAILED', `cannot read ${path} (is a directory)`);
}

async function sendPath(path: string, sink: Sink, signal?: AbortSignal): Promise<void> {
  checkReadable(path);
  // A FIFO or device may be silent for long: not to be waited for in this thread.
  if (!statSync(path).isFile()) {
    return transfer(createReadStream(path, { highWaterMark: BLOCK_BYTES }), sink, signal);
  }
  const fd = openSync(path, 'r');
  try {
    await sendDescriptor(fd, sink, signal);
  } catch (error) {
    throw toNettoolError(error, `cannot read ${path}`);
  } finally {
    closeSync(fd);
  }
}

async function sendStream(stream: Readable, sink: Sink, signal?: AbortSignal): Promise<void> {
  const fd = fileDescriptor(stream);
  return fd === undefined ? transfer(stream, sink, signal) : sendDescriptor(fd, sink, signal);
}

/** The descriptor behind a stream of a regular file that was not begun yet (`< file`). */
function fileDescriptor(stream: Readable & { readonly fd?: unknown }): number | undefined {
  if (typeof stream.fd !== 'number' || stream.readableFlowing !== null) return undefined;
  try {
    return fstatSync(stream.fd).isFile() ? stream.fd : undefined;
  } catch {
    return undefined;
  }
}

/** From where the descriptor stands, through one block of memory. */
async function sendDescriptor(fd: number, sink: Sink, signal?: AbortSignal): Promise<void> {
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  for (let count = 1; ; count += 1) {
    signal?.throwIfAborted();
    const size = readSync(fd, block, 0, BLOCK_BYTES, null);
    if (size === 0) return;
    const wait = sink(size === BLOCK_BYTES ? block : block.subarray(0, size));
    if (wait !== undefined) await wait;
    else if (count % BLOCKS_PER_TURN === 0) await nextTurn();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
