import { close, read } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Body, FileBody } from '../messages.js';
import { adorn, type Wrapper } from './wrap.js';

const readAt = promisify(read);
const closeFile = promisify(close);

/** Pieces are sent ten times a second: smooth for the client, cheap for us. */
const TICKS_PER_SECOND = 10;

const MAX_CHUNK_BYTES = 256 * 1024;

/** Sends the content of each answer no faster than so many bytes a second. */
export function throttleAnswers(bytesPerSecond: number): Wrapper {
  return adorn((request, response) => {
    const { body } = response;
    if (body === undefined || request.method === 'HEAD') return response;
    const size = sizeOf(body);
    const known = response.headers.some(([name]) => name.toLowerCase() === 'content-length');
    const length = size === undefined || known ? [] : ([['Content-Length', String(size)]] as const);
    let begun = false;
    async function* paced(): AsyncGenerator<Uint8Array> {
      begun = true;
      yield* pace(chunksOf(body as Body, bytesPerSecond), bytesPerSecond);
    }
    const slow = Readable.from(paced(), { objectMode: false });
    // A generator that is ended before it began closes nothing.
    slow.once('close', () => {
      if (!begun) release(body);
    });
    return { ...response, headers: [...response.headers, ...length], body: slow };
  });
}

function sizeOf(body: Body): number | undefined {
  if (typeof body === 'string') return Buffer.byteLength(body);
  if (body instanceof Uint8Array) return body.byteLength;
  return body instanceof Readable ? undefined : body.length;
}

function release(body: Body): void {
  if (body instanceof Readable) body.destroy();
  else if (isFile(body)) close(body.fd);
}

function isFile(body: Body): body is FileBody {
  return typeof body === 'object' && 'fd' in body && !(body instanceof Readable);
}

async function* pace(chunks: AsyncIterable<Uint8Array>, bytesPerSecond: number): AsyncGenerator<Uint8Array> {
  const startedAt = performance.now();
  let sent = 0;
  for await (const chunk of chunks) {
    yield chunk;
    sent += chunk.byteLength;
    const dueMs = (sent / bytesPerSecond) * 1000 - (performance.now() - startedAt);
    if (dueMs > 1) await delay(dueMs);
  }
}

async function* chunksOf(body: Body, bytesPerSecond: number): AsyncGenerator<Uint8Array> {
  const step = Math.max(1, Math.min(MAX_CHUNK_BYTES, Math.floor(bytesPerSecond / TICKS_PER_SECOND)));
  if (isFile(body)) {
    yield* readFile(body, step);
    return;
  }
  const source = body instanceof Readable ? body : [typeof body === 'string' ? Buffer.from(body) : body];
  for await (const piece of source) {
    const bytes: Uint8Array = typeof piece === 'string' ? Buffer.from(piece) : piece;
    for (let at = 0; at < bytes.byteLength; at += step) yield bytes.subarray(at, at + step);
  }
}

async function* readFile({ fd, offset, length }: FileBody, step: number): AsyncGenerator<Uint8Array> {
  try {
    for (let sent = 0; sent < length; ) {
      const wanted = Math.min(step, length - sent);
      const { bytesRead, buffer } = await readAt(fd, Buffer.allocUnsafe(wanted), 0, wanted, offset + sent);
      if (bytesRead === 0) throw new Error('the file became shorter while it was sent');
      sent += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await closeFile(fd);
  }
}
