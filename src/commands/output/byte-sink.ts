import type { Writable } from 'node:stream';

/** Takes bytes, which are only lent until it returns or its promise resolves. */
export type Sink = (bytes: Buffer) => Promise<void> | undefined;

/** A sink that writes to a stream at the stream's pace; it rejects when the stream is gone. */
export function toStreamSink(stream: Writable & { readonly fd?: unknown }): Sink {
  // What stands for a descriptor has done with the bytes when they are flushed; any other stream may keep them.
  const isDirect = typeof stream.fd === 'number';
  return (bytes) => {
    if (stream.destroyed || stream.writableEnded)
      return Promise.reject(stream.errored ?? new Error('closed'));
    let settle: ((error?: Error | null) => void) | undefined;
    stream.write(isDirect ? bytes : Buffer.from(bytes), (error) => settle?.(error));
    if (isDirect ? stream.writableLength === 0 : !stream.writableNeedDrain) return undefined;
    return new Promise((resolve, reject) => {
      settle = (error) => (error ? reject(error) : resolve());
    });
  };
}
