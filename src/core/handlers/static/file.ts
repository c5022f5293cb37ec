import { closeSync, readSync } from 'node:fs';
import { formatHttpDate } from '../../http/date.js';
import { errorResponse } from '../../http/error-response.js';
import { getAllHeaders } from '../../http/headers.js';
import type { Body, HeaderPair, HttpResponse, IncomingRequest } from '../../http/messages.js';
import { checkConditions, rangeApplies, type Validators } from './conditional.js';
import type { Opened } from './path.js';
import { type ByteRange, parseRange } from './range.js';

/**
 * Up to here a file is read at once: for what the page cache holds that is several times cheaper than a trip through
 * the thread pool, and no descriptor outlives the call.
 */
const READ_AT_ONCE_BYTES = 64 * 1024;

/** Answers with an open file: whole, in part, unchanged, or not as the client's conditions want it. Closes or hands on its descriptor. */
export function respondWithFile(request: IncomingRequest, opened: Opened, contentType: string): HttpResponse {
  let handedOn = false;
  try {
    const response = decide(request, opened, contentType);
    handedOn = typeof response.body === 'object' && 'fd' in response.body;
    return response;
  } finally {
    if (!handedOn) closeSync(opened.fd);
  }
}

function decide(request: IncomingRequest, opened: Opened, contentType: string): HttpResponse {
  const { headers, method } = request;
  const { stat } = opened;
  const sizeBytes = Number(stat.size);
  const validators: Validators = {
    // Nanoseconds: two states of one second and one size are told apart.
    etag: `"${stat.size.toString(16)}-${stat.mtimeNs.toString(16)}"`,
    modifiedMs: Number(stat.mtimeMs / 1000n) * 1000,
  };
  const outcome = checkConditions(headers, validators);
  if (outcome === 412) return errorResponse(412, headers);
  const described = describe(validators);
  if (outcome === 304) return { status: 304, headers: described };
  const range = method === 'GET' ? rangeOf(request, validators, sizeBytes) : undefined;
  if (range === 'unsatisfiable') {
    return errorResponse(416, headers, [['Content-Range', `bytes */${sizeBytes}`]]);
  }
  const { first, last } = range ?? { first: 0, last: sizeBytes - 1 };
  const length = last - first + 1;
  const fields: HeaderPair[] = [
    ['Content-Type', contentType],
    ['Content-Length', String(length)],
    ...described,
    ['Accept-Ranges', 'bytes'],
    ['X-Content-Type-Options', 'nosniff'],
  ];
  if (range !== undefined) fields.push(['Content-Range', `bytes ${first}-${last}/${sizeBytes}`]);
  const status = range === undefined ? 200 : 206;
  if (method === 'HEAD') return { status, headers: fields };
  return { status, headers: fields, body: readOrHandOn(opened.fd, first, length) };
}

function describe({ etag, modifiedMs }: Validators): HeaderPair[] {
  // A change in the future is told as of now (RFC 9110, section 8.8.2.1).
  const modified = formatHttpDate(Math.min(modifiedMs, Date.now()));
  const fields: HeaderPair[] = [['ETag', etag]];
  if (modified !== undefined) fields.push(['Last-Modified', modified]);
  fields.push(['Cache-Control', 'no-cache']);
  return fields;
}

function rangeOf(
  { headers }: IncomingRequest,
  validators: Validators,
  sizeBytes: number,
): ByteRange | 'unsatisfiable' | undefined {
  const fields = getAllHeaders(headers, 'range');
  if (fields.length !== 1 || !rangeApplies(headers, validators)) return undefined;
  return parseRange(fields[0] as string, sizeBytes);
}

function readOrHandOn(fd: number, offset: number, length: number): Body {
  if (length > READ_AT_ONCE_BYTES) return { fd, offset, length };
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(fd, bytes, filled, length - filled, offset + filled);
    if (count === 0) throw new Error('the file became shorter while it was read');
    filled += count;
  }
  return bytes;
}
