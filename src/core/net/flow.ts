import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { NettoolError } from '../errors.js';

/**
 * Takes bytes; returns a promise when it cannot take more before that resolves. The bytes are the sink's only until
 * then (or until it returns): whoever delivers them may read the next ones into the same memory.
 */
export type Sink = (bytes: Buffer) => Promise<void> | undefined;

/** A stream that stands for a descriptor of this process: what is written to it is not looked at again later. */
type MaybeDescriptor = { readonly fd?: unknown };

/** A sink that writes to a stream at the stream's pace. Writing to a stream that is gone rejects. */
export function toStream(stream: Writable & MaybeDescriptor): Sink {
  const direct = isDirect(stream);
  return (bytes) => writeTo(stream, direct ? bytes : Buffer.from(bytes), direct);
}

/** Whether a stream is done with bytes as soon as they are flushed; any other may keep them (a Transform, a test). */
function isDirect(stream: Writable & MaybeDescriptor): boolean {
  return typeof stream.fd === 'number' || stream instanceof Socket;
}

/** Writes; `direct` waits until all is flushed, else only until the stream's buffer has room. */
export function writeTo(stream: Writable, bytes: Buffer, direct: boolean): Promise<void> | undefined {
  if (stream.destroyed || stream.writableEnded) return Promise.reject(toWriteError(stream.errored));
  let settle: ((error?: Error | null) => void) | undefined;
  stream.write(bytes, (error) => settle?.(error));
  if (direct ? stream.writableLength === 0 : !stream.writableNeedDrain) return undefined;
  return new Promise((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve());
  });
}

function toWriteError(error: Error | null): Error {
  return error ?? new NettoolError('CONNECTION_BROKEN', 'the connection has ended');
}

/** A readable's bytes into a sink, at the sink's pace, to its end; rejects with its error, or when it ends early. */
export function transfer(source: Readable, sink: Sink, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      source.off('data', onData).off('end', onEnd).off('close', onClose);
      signal?.removeEventListener('abort', onAbort);
      done();
    };
    const fail = (error: unknown): void => settle(() => reject(error));
    let waiting: Promise<void> | undefined;
    const onData = (chunk: Buffer | string): void => {
      const wait = sink(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
      if (wait === undefined) return;
      source.pause();
      waiting = wait;
      wait.then(() => {
        waiting = undefined;
        source.resume();
      }, fail);
    };
    // A stream may end while the last of it is still on its way through the sink.
    const onEnd = (): void => {
      if (waiting === undefined) settle(resolve);
      else waiting.then(() => settle(resolve), fail);
    };
    const onClose = (): void => {
      if (source.readableEnded) onEnd();
      else fail(toWriteError(source.errored));
    };
    const onAbort = (): void => {
      // What is not read any more must not keep the process alive.
      source.pause();
      fail(signal?.reason);
    };
    // Never taken off: a source that fails late must not end the process.
    source.on('error', fail);
    source.on('data', onData).once('end', onEnd).once('close', onClose);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    else if (source.readableEnded) onEnd();
    else source.resume();
  });
}

/** A sink that shows what passes to `look` before it goes on. */
export function tap(sink: Sink, look: (bytes: Buffer) => void): Sink {
  return (bytes) => {
    look(bytes);
    return sink(bytes);
  };
}

/** Each LF becomes CRLF; one that has its CR already, also from the piece before, stays. */
export function toCrlf(sink: Sink): Sink {
  let last = 0;
  return (bytes) => {
    const pieces: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
      if ((at === 0 ? last : bytes[at - 1]) === CR) continue;
      pieces.push(bytes.subarray(from, at), CRLF);
      from = at + 1;
    }
    last = bytes.at(-1) ?? last;
    return sink(pieces.length === 0 ? bytes : Buffer.concat([...pieces, bytes.subarray(from)]));
  };
}

const CR = 13;
const LF = 10;
const CRLF = Buffer.from('\r\n');

/** How many slices a second of limited traffic is cut into. */
const SLICES_PER_SECOND = 20;

/** Lets through so many bytes a second, evenly, and counts time lost to a slow sink as used. */
export function limitRate(sink: Sink, bytesPerSecond: number): Sink {
  const slice = Math.max(1, Math.min(256 * 1024, Math.floor(bytesPerSecond / SLICES_PER_SECOND)));
  let freeAt = 0;
  return async (bytes) => {
    for (let at = 0; at < bytes.length; at += slice) {
      const part = bytes.subarray(at, at + slice);
      const now = performance.now();
      if (freeAt > now) await pause(freeAt - now);
      freeAt = Math.max(freeAt, now) + (part.length / bytesPerSecond) * 1000;
      await sink(part);
    }
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
