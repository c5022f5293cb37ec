import { Writable } from 'node:stream';

/** A stream that keeps what is written to it in a list. */
export function createCollector(
  chunks: Buffer[],
  isTTY: boolean | undefined,
): Writable & { isTTY?: boolean } {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return isTTY === undefined ? stream : Object.assign(stream, { isTTY });
}
