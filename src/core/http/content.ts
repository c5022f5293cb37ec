import { Readable } from 'node:stream';
import { NettoolError } from '../errors.js';
import type { ClientResponse } from './client.js';
import { getHeader, hasHeader } from './headers.js';
import type { ByteSink } from './reply-body.js';

/** The body of an answer as it is to be used; it can be taken once. */
export interface Content {
  /** Hands everything to a sink, at its pace; the bytes are only lent. */
  pour(sink: ByteSink): Promise<void>;
  /** The same as a stream. */
  stream(): Readable;
}

/** How a body is to be taken. */
export interface ContentOptions {
  readonly method: string;
  /** Leave the content codings on. */
  readonly raw: boolean;
  /** More decoded bytes than this are `TOO_LARGE`. */
  readonly maxSizeBytes?: number | undefined;
  /** Sees every piece on its way. */
  readonly observers?: ReadonlyArray<(bytes: Buffer) => void>;
}

/** The body of an answer, decoded and watched over. */
export async function openContent(response: ClientResponse, options: ContentOptions): Promise<Content> {
  const { status, headers, body } = response;
  const { maxSizeBytes, raw, method } = options;
  const empty = method === 'HEAD' || status === 204 || status === 304;
  const encoded = !raw && !empty && hasHeader(headers, 'content-encoding');
  const length = Number(getHeader(headers, 'content-length') ?? 0);
  if (!encoded && !empty && maxSizeBytes !== undefined && length > maxSizeBytes) {
    body.destroy();
    throw tooLarge(maxSizeBytes);
  }
  const watch = createWatch(options);
  if (!encoded) {
    return {
      pour: (sink) => body.drain(watched(sink, watch)),
      stream: () => (watch === undefined ? body : toStream(body, watch)),
    };
  }
  const { decodeBody } = await import('./decoding.js');
  const decoded = decodeBody(body, headers);
  const stream = (): Readable => (watch === undefined ? decoded : toStream(decoded, watch));
  return { stream, pour: (sink) => pourStream(stream(), sink) };
}

/** Bytes that are there already, as content. */
export function toContent(bytes: Buffer): Content {
  return {
    async pour(sink) {
      if (bytes.length > 0) await sink(bytes);
    },
    stream: () => Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false }),
  };
}

async function pourStream(stream: Readable, sink: ByteSink): Promise<void> {
  for await (const chunk of stream) {
    const wait = sink(chunk as Buffer);
    if (wait !== undefined) await wait;
  }
}

type Watch = (bytes: Buffer) => void;

function createWatch({ maxSizeBytes, observers = [] }: ContentOptions): Watch | undefined {
  if (maxSizeBytes === undefined && observers.length === 0) return undefined;
  let size = 0;
  return (bytes) => {
    size += bytes.length;
    if (maxSizeBytes !== undefined && size > maxSizeBytes) throw tooLarge(maxSizeBytes);
    for (const observe of observers) observe(bytes);
  };
}

function watched(sink: ByteSink, watch: Watch | undefined): ByteSink {
  if (watch === undefined) return sink;
  return (bytes) => {
    watch(bytes);
    return sink(bytes);
  };
}

function toStream(body: Readable, watch: Watch): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      watch(chunk as Buffer);
      yield chunk as Buffer;
    }
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: 256 * 1024 });
}

function tooLarge(limitBytes: number): NettoolError {
  return new NettoolError('TOO_LARGE', `the body is larger than ${limitBytes} bytes (--max-size)`);
}
