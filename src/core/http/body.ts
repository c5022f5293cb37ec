import { NettoolError } from '../errors.js';
import { getHeader } from './headers.js';
import type { HeaderList } from './messages.js';

/** The codings to ask for: those that `decodeBody` takes off (RFC 9110, section 12.5.3). */
export const ACCEPT_ENCODING = 'gzip, deflate, br, zstd';

/** Reads a stream to its end; `TOO_LARGE` as soon as it has more bytes than the limit. */
export async function collect(stream: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > limitBytes) {
      throw new NettoolError('TOO_LARGE', `the body is larger than ${limitBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** The media type of a message in lower case, without its parameters; empty when it has none. */
export function getMediaType(headers: HeaderList): string {
  return (getHeader(headers, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Whether a media type is JSON: `application/json`, `text/json`, `application/problem+json`. */
export function isJsonType(mediaType: string): boolean {
  return /^(application|text)\/json$|\+json$/.test(mediaType);
}

/** The `charset` parameter of a message's Content-Type. */
export function getCharset(headers: HeaderList): string | undefined {
  const match = /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;]+))/i.exec(getHeader(headers, 'content-type') ?? '');
  return match?.[1] ?? match?.[2];
}

/**
 * Bytes as text, in the charset their message names, else as UTF-8; `undefined` when they are not text.
 * NUL bytes and bytes that the charset does not have mean binary.
 */
export function decodeText(bytes: Uint8Array, charset?: string): string | undefined {
  const decoder = createTextDecoder(charset);
  try {
    const text = decoder.decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

/** A strict decoder of a charset; of UTF-8 when there is none, or none that is known. A byte order mark is kept. */
function createTextDecoder(charset = 'utf-8'): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true });
  } catch {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  }
}
