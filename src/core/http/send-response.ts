import { close, read } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
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
  let bytes = 0;
  const outcome = (more: Partial<SentResponse> = {}): SentResponse => ({
    status: res.statusCode,
    bytes,
    aborted: !res.writableFinished,
    ...more,
  });
  const stop = (): void => source?.close();
  res.once('close', stop);
  try {
    if (hasNoBody(res, response.status)) {
      writeHead(res, response, options, undefined);
      res.end();
    } else {
      const chunks = source?.chunks[Symbol.asyncIterator]();
      const first = chunks?.next();
      if (first !== undefined) await Promise.race([first, delay(HEAD_WAIT_MS, undefined, { ref: false })]);
      const length = writeHead(res, response, options, source === undefined ? 0 : source.length);
      for (let step = await first; step !== undefined && !step.done; step = await chunks?.next()) {
        if (res.destroyed) break;
        bytes += step.value.byteLength;
        if (length !== undefined && bytes > length) throw new Error('the body is longer than announced');
        if (!res.write(step.value)) await drained(res);
      }
      if (!res.destroyed && length !== undefined && bytes < length) throw new Error('the body ended early');
      res.end();
    }
    await finished(res);
    return outcome();
  } catch (error) {
    if (res.destroyed) return outcome();
    if (res.headersSent) {
      res.destroy();
      return outcome({ aborted: true, error });
    }
    const sent = await sendResponse(res, errorResponse(500, options.requestHeaders), options);
    return { ...sent, error };
  } finally {
    res.off('close', stop);
    await source?.end();
  }
}

/** Answers bytes that are no request, straight on the socket: there is no message to answer with. */
export function refuseConnection(socket: Duplex, status: number, phrase: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status} ${phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function hasNoBody(res: ServerResponse, status: number): boolean {
  return res.req.method === 'HEAD' || status === 204 || status === 304;
}

/** Writes the head; returns the length it announced. */
function writeHead(
  res: ServerResponse,
  response: HttpResponse,
  options: SendOptions,
  bodyLength: number | undefined,
): number | undefined {
  const { status, reason, headers } = response;
  const own = headers.filter(([name]) => !CONNECTION_FIELDS.has(name.toLowerCase()));
  const announced = getHeader(own, 'content-length');
  const length = announced === undefined ? (bodyLength ?? lengthOf(response.body)) : Number(announced);
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
  if (typeof body === 'string') return Buffer.byteLength(body);
  if (body === undefined) return undefined;
  return isFile(body) ? body.length : body instanceof Uint8Array ? body.byteLength : undefined;
}

/** A body as chunks that can be stopped early. */
interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly length: number | undefined;
  /** The client is gone: what is still being produced is not wanted. */
  close(): void;
  /** Lets go of stream or descriptor, once nothing reads from it any more. */
  end(): Promise<void>;
}

function toSource(body: Body | undefined): Source | undefined {
  if (body === undefined) return undefined;
  const length = lengthOf(body);
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    return { chunks: once(bytes), length, close: () => {}, end: async () => {} };
  }
  if (isFile(body)) {
    // Not on `close`: a read may be under way, and the number would soon be another file's.
    return { chunks: readFile(body), length, close: () => {}, end: () => closeFile(body.fd) };
  }
  const close = (): void => void body.destroy();
  // An error that nobody waits for any more has nothing left to break.
  body.on('error', () => {});
  return { chunks: toBytes(body), length, close, end: async () => close() };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
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

/** Resolves when more can be written, or nothing more ever can. */
function drained(res: ServerResponse): Promise<void> {
  return settled(res, 'drain');
}

/** Resolves when the answer is with the system, or the client gone. */
async function finished(res: ServerResponse): Promise<void> {
  if (!res.writableFinished) await settled(res, 'finish');
}

function settled(res: ServerResponse, event: 'drain' | 'finish'): Promise<void> {
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
