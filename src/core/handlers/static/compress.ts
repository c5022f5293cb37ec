import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';
import type { Coding } from './coding.js';

const brotli = promisify(brotliCompress);
const zstd = promisify(zstdCompress);
const deflate = promisify(gzip);

/** `fast` takes milliseconds, `best` is for what is asked for again and again. */
export type Effort = 'fast' | 'best';

/** Above this the very best levels take seconds for next to nothing. */
const THOROUGH_BYTES = 256 * 1024;

/** Compresses in libuv's threads. */
export function compress(bytes: Uint8Array, coding: Coding, effort: Effort): Promise<Buffer> {
  const isSmall = bytes.length <= THOROUGH_BYTES;
  switch (coding) {
    case 'br':
      return brotli(bytes, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: effort === 'fast' ? 4 : isSmall ? 11 : 9,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      });
    case 'zstd':
      return zstd(bytes, {
        params: { [constants.ZSTD_c_compressionLevel]: effort === 'fast' ? 3 : isSmall ? 19 : 12 },
      });
    case 'gzip':
      return deflate(bytes, { level: effort === 'fast' ? 6 : 9 });
  }
}
