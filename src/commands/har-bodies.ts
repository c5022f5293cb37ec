import type { ClientResponse } from '../core/http/client.js';
import type { HeaderList, OutgoingRequest } from '../core/http/messages.js';
import { CAPTURE_LIMIT_BYTES, type CapturedBody } from './captured-body.js';
import type { Context } from './context.js';
import { rememberSecretFields } from './secret-values.js';

const LEFT_OUT = `left out: more than ${CAPTURE_LIMIT_BYTES} bytes, or not to be read twice`;

/** The body of an answer as HAR's `content`: text, or base64 when it is none. */
export async function toContent(
  response: ClientResponse | undefined,
  body: CapturedBody | undefined,
  redact: (text: string) => string,
) {
  const headers = response?.headers ?? [];
  const mimeType = findHeader(headers, 'content-type') ?? 'x-unknown';
  const wireSizeBytes = response?.wireSizeBytes ?? 0;
  if (body === undefined || body.sizeBytes === 0) return { size: wireSizeBytes, mimeType };
  const { bytes, sizeBytes } = body;
  const kept = { size: sizeBytes, compression: sizeBytes - wireSizeBytes, mimeType };
  if (bytes === undefined) return { ...kept, comment: LEFT_OUT };
  const { decodeText, getCharset } = await import('../core/http/body.js');
  const text = decodeText(bytes, getCharset(headers));
  return text === undefined
    ? { ...kept, text: bytes.toString('base64'), encoding: 'base64' }
    : { ...kept, text: redact(text) };
}

/** The body of a request as HAR's `postData` and its size; files are read once more. */
export async function toPostData({ body, headers }: OutgoingRequest, context: Context) {
  if (body === undefined) return { bodySize: 0 };
  const { bodySize, bytes } = await readRequestBody(body);
  const mimeType = findHeader(headers, 'content-type') ?? '';
  const { decodeText, getCharset } = await import('../core/http/body.js');
  const text = bytes && decodeText(bytes, getCharset(headers));
  if (text !== undefined) {
    rememberSecretFields(context, text);
    return { bodySize, postData: { mimeType, params: [], text: context.redact(text) } };
  }
  // Not as base64: secrets in it could not be masked.
  const comment = bytes === undefined ? LEFT_OUT : 'not text, and left out';
  return { bodySize, postData: { mimeType, params: [], text: '', comment } };
}

async function readRequestBody(
  body: NonNullable<OutgoingRequest['body']>,
): Promise<{ bodySize: number; bytes: Buffer | undefined }> {
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = Buffer.from(body);
    return { bodySize: bytes.length, bytes: bytes.length > CAPTURE_LIMIT_BYTES ? undefined : bytes };
  }
  if (!('open' in body)) return { bodySize: -1, bytes: undefined };
  const { sizeBytes = -1, isReplayable } = body;
  const isSmall = isReplayable && sizeBytes >= 0 && sizeBytes <= CAPTURE_LIMIT_BYTES;
  const { collect } = await import('../core/http/body.js');
  // A file may have gone since it was sent.
  const bytes = isSmall ? await collect(body.open(), CAPTURE_LIMIT_BYTES).catch(() => undefined) : undefined;
  return { bodySize: sizeBytes, bytes };
}

/** The value of the first field of a name, given in lower case. */
export function findHeader(headers: HeaderList, name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1];
}
