import { close, read } from 'node:fs';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { errorResponse } from './error-response.js';
import { getHeader } from './headers.js';
import type { Body, FileBody, HeaderList, HttpResponse } from './messages.js';

/** What became of an answer. */
export interface SentResponse {
  readonly status: number;
  /** Bytes of the body handed to the connection. */
  readonly bytes: number;
  /** The client left, or the body broke off after its head was sent. */
  readonly aborted: boolean;
  readonly error?: unknown;
}

/** Big enough to keep a fast connection busy, small enough for thousands of slow ones. */
const CHUNK_BYTES = 256 * 1024;

/** How long the head waits for the body's first bytes: an error before them can still become a 500. */
const HEAD_WAIT_MS = 100;

/** How long a refused client may take to close its side. */
const LINGER_MS = 1000;

/** Of the connection, not of the message: the server alone decides about them (RFC 9112, section 9). */
const CONNECTION_FIELDS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

const readAt = promisify(read);
const closeFile = promisify(close);

/** What `sendResponse` needs to know beside the answer. */
export interface SendOptions {
  readonly requestHeaders: HeaderList;
  /** The connection is to end after this answer. */
  readonly lastAnswer: boolean;
}

/**
 * Writes an answer and resolves when it is on its way or cannot be. The source of the body is closed on every exit:
 * HEAD, 204 and 304 (which have none), a client that left, an error. One before the first byte becomes a 500, one
 * after it destroys the connection, so that the client can tell.
 */
export async function sendResponse(
  res: ServerResponse,
  response: HttpResponse,
  options: SendOptions,
): Promise<SentResponse> {
  const { body } = response;
  const source = toSource(body);
  const progress = { bytes: 0 };
  const outcome = (): SentResponse => ({
    status: res.statusCode,
    bytes: progress.bytes,
    aborted: !res.writableFinished,
  });
  try {
    if (res.req.method === 'HEAD' || response.status === 204 || response.status === 304) {
      writeHead(res, response, options);
      res.end();
    } else if (source === undefined) {
      writeHead(res, response, options);
      res.end(body);
      progress.bytes = lengthOf(body) ?? 0;
    } else {
      await sendChunks(res, source, progress, () => writeHead(res, response, options));
    }
    if (!res.writableFinished) await next(res, 'finish');
    return outcome();
  } catch (error) {
    if (res.destroyed) return outcome();
    if (res.headersSent) {
      res.destroy();
      return { ...outcome(), error };
    }
    const sent = await sendResponse(res, errorResponse(500, options.requestHeaders), options);
    return { ...sent, error };
  } finally {
    await source?.end();
  }
}

async function sendChunks(
  res: ServerResponse,
  source: Source,
  progress: { bytes: number },
  begin: () => number | undefined,
): Promise<void> {
  const stop = (): void => source.stop();
  res.once('close', stop);
  try {
    const chunks = source.chunks[Symbol.asyncIterator]();
    const first = chunks.next();
    const isQuiet = !(await comesSoon(first));
    const length = begin();
    if (isQuiet) res.flushHeaders();
    for (let step = await first; !step.done && !res.destroyed; step = await chunks.next()) {
      progress.bytes += step.value.byteLength;
      if (length !== undefined && progress.bytes > length)
        throw new Error('the body is longer than announced');
      if (!res.write(step.value)) await next(res, 'drain');
    }
    if (res.destroyed) return;
    if (length !== undefined && progress.bytes < length) throw new Error('the body ended early');
    res.end();
  } finally {
    res.off('close', stop);
  }
}

/** Whether the first chunk comes within the time the head can wait for it: that of a quiet stream is news too. */
async function comesSoon(first: Promise<unknown>): Promise<boolean> {
  const waiting = new AbortController();
  const timeout = delay(HEAD_WAIT_MS, false, { signal: waiting.signal }).catch(() => false);
  try {
    return await Promise.race([first.then(() => true), timeout]);
  } finally {
    waiting.abort();
  }
}

/** Answers bytes that are no request, straight on the socket: there is no message to answer with. */
export function refuseConnection(socket: Socket, status: number): void {
  // Whoever does not close in turn is not waited for long; closing at once could lose the answer (RFC 9112, 9.6).
  socket.setTimeout(LINGER_MS, () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Writes the head; returns the length it announced. */
function writeHead(res: ServerResponse, response: HttpResponse, options: SendOptions): number | undefined {
  const { status, reason, headers, body } = response;
  const own = headers.filter(([name]) => !CONNECTION_FIELDS.has(name.toLowerCase()));
  const announced = getHeader(own, 'content-length');
  const length = announced === undefined ? lengthOf(body) : Number(announced);
  const fields: string[] = own.flat();
  if (announced === undefined && length !== undefined && status !== 204 && status !== 304) {
    fields.push('Content-Length', String(length));
  }
  if (options.lastAnswer) fields.push('Connection', 'close');
  // A flat list keeps order, case and repetition of the fields; `undefined` lets node fill in the phrase.
  res.writeHead(status, reason as string, fields);
  return length;
}

function lengthOf(body: Body | undefined): number | undefined {
  if (body === undefined) return 0;
  if (typeof body === 'string') return Buffer.byteLength(body);
  return isFile(body) ? body.length : body instanceof Uint8Array ? body.byteLength : undefined;
}

/** A body that comes in chunks. */
interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** The client is gone: what is still being produced is not wanted. */
  stop(): void;
  /** Lets go of stream or descriptor, once nothing reads from it any more. */
  end(): Promise<void>;
}

function toSource(body: Body | undefined): Source | undefined {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return undefined;
  if (isFile(body)) {
    // Not closed by `stop`: a read may be under way, and the number would soon be another file's.
    return { chunks: readFile(body), stop: () => {}, end: () => closeFile(body.fd) };
  }
  const stop = (): void => void body.destroy();
  // An error that nobody waits for any more has nothing left to break.
  body.on('error', () => {});
  return { chunks: toBytes(body), stop, end: async () => stop() };
}

async function* toBytes(body: Readable): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

async function* readFile({ fd, offset, length }: FileBody): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < length; ) {
    const wanted = Math.min(CHUNK_BYTES, length - sent);
    const { bytesRead, buffer } = await readAt(fd, Buffer.allocUnsafe(wanted), 0, wanted, offset + sent);
    if (bytesRead === 0) throw new Error('the file became shorter while it was sent');
    sent += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function isFile(body: Body): body is FileBody {
  return typeof body === 'object' && 'fd' in body && typeof body.fd === 'number' && 'length' in body;
}

/** Resolves at the next event of this name, or when none can come because the client is gone. */
function next(res: ServerResponse, event: 'drain' | 'finish'): Promise<void> {
  if (res.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      res.off(event, settle);
      res.off('close', settle);
      resolve();
    };
    res.on(event, settle);
    res.on('close', settle);
  });
}
