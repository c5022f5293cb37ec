import { close, read } from 'node:fs';
import { pipeline, type Readable, Transform } from 'node:stream';
import { promisify } from 'node:util';
import type { Body, FileBody, HeaderPair, HttpResponse } from '../../http/messages.js';
import { type Wanted, widenPolicy } from './policy.js';

const readAt = promisify(read);
const closeFile = promisify(close);

/** A page as large as this is data, not a page somebody works on. */
const MOST_FILE_BYTES = 16 * 1024 * 1024;

/**
 * An HTML answer with a snippet behind its end, where every parser takes a script as the last thing in the body
 * (HTML, section 13.2.6.4.22). Its length and policy are changed to match; what is no HTML is as it was.
 */
export async function injectInto(
  response: HttpResponse,
  snippet: string,
  wanted: Wanted,
): Promise<HttpResponse> {
  if (!isPage(response)) return response;
  const { body } = response;
  if (body !== undefined && isFile(body) && body.length > MOST_FILE_BYTES) return response;
  const extra = Buffer.byteLength(snippet);
  const headers = response.headers.map(([name, value]): HeaderPair => {
    const key = name.toLowerCase();
    if (key === 'content-length') return [name, String(Number(value) + extra)];
    return key === 'content-security-policy' ? [name, widenPolicy(value, wanted)] : [name, value];
  });
  return { ...response, headers, ...(body !== undefined && { body: await appendTo(body, snippet) }) };
}

/** Whether an answer is HTML that can be added to: uncompressed, and in a charset that has ASCII in it. */
function isPage({ status, headers }: HttpResponse): boolean {
  if (status === 204 || status === 304 || status === 206) return false;
  const value = (name: string): string => headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? '';
  const type = value('content-type');
  return (
    /^text\/html\s*(?:;|$)/i.test(type) && !/utf-?(?:16|32)/i.test(type) && value('content-encoding') === ''
  );
}

async function appendTo(body: Body, snippet: string): Promise<Body> {
  if (typeof body === 'string') return body + snippet;
  if (body instanceof Uint8Array) return Buffer.concat([body, Buffer.from(snippet)]);
  if (isFile(body)) return Buffer.concat([await readWhole(body), Buffer.from(snippet)]);
  return appendToStream(body, snippet);
}

function appendToStream(body: Readable, snippet: string): Readable {
  const longer = new Transform({
    transform: (chunk, _encoding, done) => done(null, chunk),
    flush: (done) => done(null, snippet),
  });
  // Whichever end breaks takes the other with it; whoever reads sees the error.
  return pipeline(body, longer, () => {});
}

async function readWhole({ fd, offset, length }: FileBody): Promise<Buffer> {
  try {
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await readAt(fd, bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw new Error('the file became shorter while it was read');
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await closeFile(fd);
  }
}

function isFile(body: Body): body is FileBody {
  return typeof body === 'object' && 'fd' in body && 'offset' in body;
}
