import { Readable } from 'node:stream';
import { GatewayError } from '../http/gateway-error.js';
import type { HeaderList, HttpResponse } from '../http/messages.js';
import { type CgiDocument, type CgiReply, findBodyStart, MAX_CGI_HEAD_BYTES } from './cgi-response.js';

/** What a script writes to its standard output, in pieces. */
export interface ScriptOutput {
  /** The next piece; undefined when the script is done. Rejects when it broke off. */
  read(): Promise<Buffer | undefined>;
  /** Everything that is left, when the script is known to be done already; undefined otherwise. */
  rest?(): Buffer | undefined;
  /** Called once: nothing more will be read. `isAnswered` says whether the client has, or gets, all it is to have. */
  release(isAnswered: boolean): void;
}

/** A head that was read, and the body's bytes that came with it. */
export interface ScriptHead {
  readonly reply: CgiReply;
  readonly first: Buffer;
}

/** Reads until the head is complete and takes it apart. */
export async function readScriptHead(
  output: ScriptOutput,
  parse: (head: string) => CgiReply,
): Promise<ScriptHead> {
  let bytes: Buffer = Buffer.alloc(0);
  for (;;) {
    const searched = bytes.byteLength;
    const chunk = await output.read();
    if (chunk !== undefined) bytes = searched === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const head = takeScriptHead(bytes, searched, chunk === undefined, parse);
    if (head !== undefined) return head;
  }
}

/** Takes the head apart, when it is complete; `isEnd` says that nothing will follow. */
export function takeScriptHead(
  bytes: Buffer,
  searchedBytes: number,
  isEnd: boolean,
  parse: (head: string) => CgiReply,
): ScriptHead | undefined {
  const start = findBodyStart(bytes, searchedBytes);
  if (start !== -1 && start <= MAX_CGI_HEAD_BYTES) {
    return { reply: parse(bytes.toString('latin1', 0, start)), first: bytes.subarray(start) };
  }
  if (bytes.byteLength > MAX_CGI_HEAD_BYTES)
    throw new GatewayError(502, 'the head of the script is too large');
  if (!isEnd) return undefined;
  const what = bytes.byteLength === 0 ? 'nothing at all' : 'an incomplete head';
  throw new GatewayError(502, `the script sent ${what}`);
}

/** Statuses that never have a body (RFC 9110, section 6.4.1). */
function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}

/** What an answer has to do with its request. */
export interface AnswerOptions {
  readonly method: string;
  /** Called when the script breaks off after its head. */
  onBroken(error: GatewayError): void;
}

/**
 * The answer for the client: the script's body cut at the length it announced, and broken off visibly when less
 * came. The output is released on every exit.
 */
export function toResponse(
  document: CgiDocument,
  first: Buffer,
  output: ScriptOutput,
  answer: AnswerOptions,
): HttpResponse {
  const { status, reason, headers, length } = document;
  if (answer.method === 'HEAD' || isBodiless(status)) {
    output.release(true);
    return { status, reason, headers: withLength(document) };
  }
  const rest = output.rest?.();
  if (rest !== undefined) {
    const body = rest.byteLength === 0 ? first : Buffer.concat([first, rest]);
    if (length === undefined || body.byteLength >= length) {
      output.release(true);
      return { status, reason, headers, body: length === undefined ? body : body.subarray(0, length) };
    }
    output.release(false);
    throw new GatewayError(502, `the script announced ${length} bytes and sent ${body.byteLength}`);
  }
  const body = bodyStream(first, length, output);
  // Its head has left: nobody but the log can be told any more.
  body.once('error', (error) => error instanceof GatewayError && answer.onBroken(error));
  return { status, reason, headers: withLength(document), body };
}

/** The fields with the length that the script announced. */
function withLength({ status, headers, length }: CgiDocument): HeaderList {
  if (length === undefined || status === 204) return headers;
  return [...headers, ['Content-Length', String(length)]];
}

/** The body as a stream that reads no faster than it is read. */
function bodyStream(first: Buffer, length: number | undefined, output: ScriptOutput): Readable {
  let left = length ?? Number.POSITIVE_INFINITY;
  let pending: Buffer | undefined = first.byteLength === 0 ? undefined : first;
  let isComplete = false;
  const next = async (stream: Readable): Promise<void> => {
    const chunk = pending ?? (await output.read());
    pending = undefined;
    if (chunk === undefined) {
      isComplete = true;
      if (length !== undefined && left > 0) {
        throw new GatewayError(502, `the script announced ${length} bytes and sent ${length - left}`);
      }
      stream.push(null);
      return;
    }
    const wanted = chunk.byteLength > left ? chunk.subarray(0, left) : chunk;
    left -= wanted.byteLength;
    stream.push(wanted);
    if (left > 0) return;
    isComplete = true;
    stream.push(null);
  };
  return new Readable({
    highWaterMark: 256 * 1024,
    read() {
      next(this).catch((error) => this.destroy(error as Error));
    },
    destroy(error, callback) {
      output.release(isComplete && error === null);
      callback(error);
    },
  });
}
