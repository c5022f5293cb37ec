import type { Readable, Writable } from 'node:stream';
import { setImmediate as immediately } from 'node:timers/promises';
import type { HeaderList } from '../messages.js';

/** The content of a request: all of it, or a stream and how it is framed. */
export type RequestBody = Buffer | StreamedBody;

/** Content that comes bit by bit. */
export interface StreamedBody {
  readonly source: Readable;
  /** How many bytes it has; undefined for chunks. */
  readonly length: number | undefined;
  readonly trailers?: () => HeaderList;
}

/**
 * Writes a body to a connection, no faster than that takes it. Resolves with false when it was not wanted to the
 * end any more; rejects when the source broke off or is not as long as it was said to be.
 */
export async function sendBody(
  target: Writable,
  body: StreamedBody,
  isWanted: () => boolean,
  onProgress: () => void,
): Promise<boolean> {
  const { source, length } = body;
  let sent = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    // A reply that has come already is read first: writing to an upstream that has closed would lose it.
    await immediately();
    if (!isWanted() || target.destroyed) return false;
    if (chunk.byteLength === 0) continue;
    sent += chunk.byteLength;
    if (length !== undefined && sent > length) throw new Error('the request body is longer than announced');
    if (!writeChunk(target, chunk, length === undefined)) {
      onProgress();
      await drained(target);
    }
  }
  if (!isWanted() || target.destroyed) return false;
  if (length !== undefined && sent < length) throw new Error('the client broke off its request');
  if (length === undefined) target.write(lastChunk(body.trailers?.() ?? []), 'latin1');
  return true;
}

function writeChunk(target: Writable, chunk: Buffer, isChunked: boolean): boolean {
  if (!isChunked) return target.write(chunk);
  const size = Buffer.from(`${chunk.byteLength.toString(16)}\r\n`, 'latin1');
  return target.write(Buffer.concat([size, chunk, CRLF]));
}

const CRLF = Buffer.from('\r\n');

function lastChunk(trailers: HeaderList): string {
  return `0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

function drained(target: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      target.off('drain', settle);
      target.off('close', settle);
      resolve();
    };
    target.on('drain', settle);
    target.on('close', settle);
  });
}
