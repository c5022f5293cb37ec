import { randomBytes } from 'node:crypto';
import { close, read } from 'node:fs';
import { Readable } from 'node:stream';
import type { ByteRange } from './range.js';

/** Several ranges of one file as a multipart/byteranges message (RFC 9110, section 14.6), heads written already. */
export interface RangeParts {
  readonly contentType: string;
  readonly lengthBytes: number;
  readonly parts: ReadonlyArray<ByteRange & { readonly head: Buffer }>;
  readonly tail: Buffer;
}

/** Big enough to keep a fast connection busy, small enough for thousands of slow ones. */
const CHUNK_BYTES = 128 * 1024;

/** Lays out the message for disjoint ranges. */
export function layOutParts(
  ranges: readonly ByteRange[],
  sizeBytes: number,
  contentType: string,
): RangeParts {
  // Random for each answer: nobody can have put it into the file.
  const boundary = randomBytes(12).toString('hex');
  const parts = ranges.map(({ first, last }, index) => ({
    first,
    last,
    head: Buffer.from(
      `${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${contentType}\r\n` +
        `Content-Range: bytes ${first}-${last}/${sizeBytes}\r\n\r\n`,
    ),
  }));
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const lengthBytes = parts.reduce(
    (sum, { first, last, head }) => sum + head.length + last - first + 1,
    tail.length,
  );
  return { contentType: `multipart/byteranges; boundary=${boundary}`, lengthBytes, parts, tail };
}

/** The message for a file in memory. */
export function joinParts({ parts, tail }: RangeParts, bytes: Uint8Array): Buffer {
  return Buffer.concat([
    ...parts.flatMap(({ head, first, last }) => [head, bytes.subarray(first, last + 1)]),
    tail,
  ]);
}

/** The message for an open file, which it closes on every exit: at the end, on an error, when nobody reads it any more. */
export function streamParts({ parts, tail }: RangeParts, fd: number): Readable {
  let index = 0;
  let offset = -1;
  let isReading = false;
  let whenRead: (() => void) | undefined;
  const readOn = (stream: Readable): void => {
    const part = parts[index];
    if (part === undefined) {
      stream.push(tail);
      stream.push(null);
    } else if (offset === -1) {
      offset = part.first;
      stream.push(part.head);
    } else {
      const length = Math.min(CHUNK_BYTES, part.last - offset + 1);
      isReading = true;
      read(fd, Buffer.allocUnsafe(length), 0, length, offset, (error, count, bytes) => {
        isReading = false;
        whenRead?.();
        if (error !== null) stream.destroy(error);
        else if (count === 0) stream.destroy(new Error('the file became shorter while it was sent'));
        else {
          offset += count;
          if (offset > part.last) {
            index += 1;
            offset = -1;
          }
          stream.push(bytes.subarray(0, count));
        }
      });
    }
  };
  return new Readable({
    read() {
      readOn(this);
    },
    destroy(error, done) {
      const end = (): void => close(fd, () => done(error));
      // A read that is under way would hit whatever file gets the number next.
      if (isReading) whenRead = end;
      else end();
    },
  });
}
