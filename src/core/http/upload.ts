import type { Writable } from 'node:stream';
import { NettoolError } from '../errors.js';
import type { RateLimit } from './rate-limit.js';

/** How a body is sent. */
export interface UploadOptions {
  /** Exactly so many bytes; `undefined` sends chunks (RFC 9112, section 7.1). */
  readonly sizeBytes: number | undefined;
  readonly rate?: RateLimit | undefined;
  /** Whether the rest is still wanted. */
  readonly isWanted: () => boolean;
  readonly onProgress: (bytes: number) => void;
}

/** Writes a body to a connection, no faster than that takes it. `false` when it was not wanted to its end. */
export async function upload(
  source: AsyncIterable<Uint8Array | string>,
  target: Writable,
  options: UploadOptions,
): Promise<boolean> {
  const { sizeBytes, rate, isWanted, onProgress } = options;
  let sent = 0;
  for await (const piece of source) {
    const whole = toBuffer(piece);
    for (const chunk of cut(whole, rate?.pieceBytes)) {
      if (!isWanted() || target.destroyed) return false;
      sent += chunk.length;
      if (sizeBytes !== undefined && sent > sizeBytes) throw wrongSize(sizeBytes);
      // The bytes are only lent, so they have to be gone before the next are asked for.
      if (!write(target, chunk, sizeBytes === undefined) || target.writableLength > 0) await flushed(target);
      onProgress(chunk.length);
      const delayMs = rate?.delayMs(chunk.length) ?? 0;
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
  if (!isWanted() || target.destroyed) return false;
  if (sizeBytes !== undefined && sent < sizeBytes) throw wrongSize(sizeBytes);
  if (sizeBytes === undefined) target.write('0\r\n\r\n', 'latin1');
  return true;
}

function wrongSize(sizeBytes: number): NettoolError {
  return new NettoolError('INPUT_FAILED', `the body is not the ${sizeBytes} bytes it was said to be`, {
    hint: 'a file changed while it was sent, or the Content-Length given is wrong',
  });
}

function* cut(bytes: Buffer, pieceBytes = bytes.length): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

function write(target: Writable, chunk: Buffer, chunked: boolean): boolean {
  if (!chunked) return target.write(chunk);
  target.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
  target.write(chunk);
  return target.write('\r\n', 'latin1');
}

function toBuffer(piece: Uint8Array | string): Buffer {
  if (typeof piece === 'string') return Buffer.from(piece);
  return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** Resolves when everything written has left, or never will. */
function flushed(target: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      target.off('close', settle);
      resolve();
    };
    target.on('close', settle);
    target.write('', settle);
  });
}
