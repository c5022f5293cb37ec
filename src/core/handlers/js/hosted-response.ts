import { Readable } from 'node:stream';
import { GatewayError } from '../../http/gateway-error.js';
import type { HttpResponse } from '../../http/messages.js';

/** What is used of a web `Response`; also of one of another implementation than the platform's. */
interface WebResponse {
  readonly status: number;
  readonly statusText?: string;
  readonly headers: Iterable<[string, string]>;
  readonly body: ReadableStream<Uint8Array> | null;
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

const PENDING = Symbol('pending');

/** A web `Response` as an answer of ours: small ones whole, so that their length is known, others as a stream. */
export async function toHttpResponse(value: unknown, method: string): Promise<HttpResponse> {
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
