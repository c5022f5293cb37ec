import { Readable } from 'node:stream';
import { GatewayError } from '../../http/gateway-error.js';
import type { HttpResponse } from '../../http/messages.js';
import { LazyResponse, type ResponseParts } from './lazy-response.js';

/** What is used of a web `Response`; also of one of another implementation than the platform's. */
interface WebResponse {
  readonly status: number;
  readonly statusText?: string;
  readonly headers: Iterable<[string, string]>;
  readonly body: ReadableStream<Uint8Array> | null;
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

const PENDING = Symbol('pending');

type SrvxBody = string | Uint8Array | ReadableStream<Uint8Array> | Readable | null | undefined;

/** What srvx has in the place of a Response, which h3 answers with: what it was made of, header fields flat. */
interface SrvxResponse {
  _toNodeResponse(): {
    readonly status: number;
    readonly statusText: string;
    readonly headers: readonly string[];
    readonly body: SrvxBody;
  };
}

/** A web `Response` as an answer of ours: at once where it is what we made of text or bytes. */
export function toHttpResponse(value: unknown, method: string): HttpResponse | Promise<HttpResponse> {
  const parts = LazyResponse.parts(value);
  if (parts !== undefined) return fromParts(parts);
  return isSrvxResponse(value) ? fromSrvx(value, method) : readResponse(value, method);
}

function fromParts({ status, statusText, headers, body }: ResponseParts): HttpResponse {
  return {
    status,
    headers,
    ...(statusText !== '' && { reason: statusText }),
    ...(body !== null && { body }),
  };
}

function isSrvxResponse(value: unknown): value is SrvxResponse {
  return typeof value === 'object' && value !== null && '_toNodeResponse' in value;
}

function fromSrvx(value: SrvxResponse, method: string): HttpResponse | Promise<HttpResponse> {
  const { status, statusText, headers: flat, body } = value._toNodeResponse();
  const headers: [string, string][] = [];
  for (let at = 0; at < flat.length; at += 2) headers.push([flat[at] as string, flat[at + 1] as string]);
  if (!body || typeof body === 'string' || body instanceof Uint8Array) {
    return fromParts({ status, statusText, headers, body: body || null });
  }
  if (body instanceof ReadableStream) return readResponse({ status, statusText, headers, body }, method);
  return { ...fromParts({ status, statusText, headers, body: null }), body };
}

/** Small ones whole, so that their length is known, others as a stream. */
async function readResponse(value: unknown, method: string): Promise<HttpResponse> {
  if (!isWebResponse(value)) throw new GatewayError(500, 'the application did not return a Response');
  const { status, statusText, headers, body } = value;
  if (status < 200 || status > 599)
    throw new GatewayError(500, `the application answered with status ${status}`);
  const head = { status, headers: [...headers], ...(statusText ? { reason: statusText } : {}) };
  if (body === null) return head;
  if (method === 'HEAD' || status === 204 || status === 304) {
    void body.cancel().catch(() => {});
    return head;
  }
  const reader = body.getReader();
  const first = await reader.read();
  if (first.done) return { ...head, body: '' };
  // What was made of a string or of bytes has ended by now; what is being produced has not.
  const second = reader.read();
  const next = await Promise.race([second, nextTurn()]);
  if (next !== PENDING && next.done) return { ...head, body: first.value };
  return { ...head, body: streamOf(reader, first.value, second) };
}

function nextTurn(): Promise<typeof PENDING> {
  return new Promise((resolve) => {
    setImmediate(resolve, PENDING);
  });
}

/** The rest of a body; the application is told when nobody wants it any more. */
function streamOf(reader: Reader, first: Uint8Array, second: ReturnType<Reader['read']>): Readable {
  let upcoming: ReturnType<Reader['read']> | undefined = second;
  let isDone = false;
  const stream = new Readable({
    read() {
      const next = upcoming ?? reader.read();
      upcoming = undefined;
      next.then(
        ({ done, value }) => {
          isDone = done;
          this.push(done ? null : toBuffer(value));
        },
        (error) => this.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    },
    destroy(error, callback) {
      if (!isDone) void reader.cancel(error ?? undefined).catch(() => {});
      callback(error);
    },
  });
  stream.on('error', () => {});
  stream.push(toBuffer(first));
  return stream;
}

function toBuffer(value: Uint8Array): Buffer {
  if (!(value instanceof Uint8Array)) throw new TypeError('a body stream has to give Uint8Arrays');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function isWebResponse(value: unknown): value is WebResponse {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as WebResponse).status === 'number' &&
    typeof (value as WebResponse).headers === 'object'
  );
}
