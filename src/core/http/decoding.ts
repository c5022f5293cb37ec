import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { NettoolError } from '../errors.js';
import { getAllHeaders } from './headers.js';
import type { HeaderList } from './messages.js';

/** More layers than this are an attack, not a coding (curl's limit too). */
const MAX_LAYERS = 5;

type Decoder = NodeJS.ReadWriteStream & { destroy(error?: Error): void };

const DECODERS: Readonly<Record<string, (first: Buffer) => Decoder>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: (first) => (hasZlibHeader(first) ? createInflate() : createInflateRaw()),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
};

/**
 * The body without its content codings, last applied first, as it arrives and no faster than it is read.
 * A compressed stream that stops early fails with `TRUNCATED`, one that cannot be decoded with `BAD_ENCODING`.
 * Whoever stops reading before the end has to destroy `body` itself too.
 */
export function decodeBody(body: Readable, headers: HeaderList): Readable {
  const codings = toCodings(headers);
  if (codings.length === 0) return body;
  const decoded = codings.reduceRight<AsyncIterable<Buffer>>(
    (source, coding) => decode(source, coding),
    body,
  );
  return Readable.from(decoded, { objectMode: false, highWaterMark: 256 * 1024 });
}

/** The codings of a body in the order they were applied, over all its header lines; `identity` means nothing, nor does `none`. */
function toCodings(headers: HeaderList): string[] {
  const codings = getAllHeaders(headers, 'content-encoding')
    .flatMap((value) => value.split(','))
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => !['', 'identity', 'none'].includes(coding));
  const unknown = codings.find((coding) => !Object.hasOwn(DECODERS, coding));
  if (unknown !== undefined) {
    throw new NettoolError('BAD_ENCODING', `the body is in an unknown coding, '${unknown}'`, {
      hint: 'take it as it is sent, with --raw',
    });
  }
  if (codings.length > MAX_LAYERS) {
    throw new NettoolError('BAD_ENCODING', `the body is encoded ${codings.length} times over`);
  }
  return codings;
}

async function* decode(source: AsyncIterable<Buffer>, coding: string): AsyncGenerator<Buffer> {
  const rest = source[Symbol.asyncIterator]();
  const first = await readStart(rest);
  // A message without content (to HEAD, or a 204) may still name a coding.
  if (first.length === 0) return;
  const decoder = (DECODERS[coding] as (first: Buffer) => Decoder)(first);
  // A source that breaks destroys the decoder with its error; the loop below then throws it.
  pipeline(rejoin(first, rest), decoder).catch(() => {});
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
  } catch (error) {
    throw toDecodingError(error, coding);
  } finally {
    decoder.destroy();
  }
}

/** The first two bytes or more: deflate needs them to be told apart. */
async function readStart(source: AsyncIterator<Buffer>): Promise<Buffer> {
  let start = Buffer.alloc(0);
  while (start.length < 2) {
    const { done, value } = await source.next();
    if (done === true) break;
    start = Buffer.concat([start, value]);
  }
  return start;
}

async function* rejoin(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** RFC 1950; servers that send bare RFC 1951 under the same name are legion. */
function hasZlibHeader(first: Buffer): boolean {
  return first.length >= 2 && (first.readUInt8(0) & 0x0f) === 8 && first.readUInt16BE(0) % 31 === 0;
}

function toDecodingError(error: unknown, coding: string): unknown {
  if (error instanceof NettoolError || !(error instanceof Error)) return error;
  if ((error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR') {
    return new NettoolError('TRUNCATED', `the transfer was cut short (the ${coding} stream has no end)`, {
      cause: error,
    });
  }
  return new NettoolError('BAD_ENCODING', `the body is not what its Content-Encoding says (${coding})`, {
    cause: error,
  });
}
