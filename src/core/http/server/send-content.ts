import { closeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { getHeader } from '../headers.js';
import type { Body, HeaderList, HttpResponse } from '../messages.js';
import { type AnswerPlan, isFileBody, serializeFields } from './answer-head.js';
import { sendFile } from './file-body.js';
import type { Wire } from './wire.js';

/** Who wants to know what became of an answer. */
export interface Sender {
  /**
   * Called once when an answer is over: bytes of content handed to the system (-1: not even the head), and why that
   * was not all of them.
   */
  sent(bytes: number, error?: unknown): void;
}

/** Up to here bytes are copied behind the head, which is cheaper than a second buffer in the system call. */
const COPY_BYTES = 8192;
/** Larger bodies are sent in pieces of this size. */
const PIECE_BYTES = 256 * 1024;
/** How long a head waits for the first content, so that a source that fails at once can still become a 500. */
const HEAD_WAIT_MS = 10;

/** Sends an answer whose head is planned. The source of its content is let go of on every exit. */
export function sendContent(wire: Wire, plan: AnswerPlan, response: HttpResponse, sender: Sender): void {
  const { body } = response;
  if (body === undefined || plan.framing === 'none') {
    discardBody(body);
    wire.text(plan.head);
    sender.sent(0);
  } else if (isFileBody(body)) {
    sendFile(wire, plan.head, body, sender);
  } else if (body instanceof Readable) {
    new StreamSender(wire, plan, response, body, sender);
  } else if (plan.length <= COPY_BYTES && plan.length === body.length && typeof body === 'string') {
    // As many bytes as characters means ASCII: it can share the head's encoding and its write.
    wire.text(plan.head + body);
    sender.sent(plan.length);
  } else {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    if (bytes.length > PIECE_BYTES) {
      new StreamSender(wire, plan, response, Readable.from(piecesOf(bytes)), sender);
      return;
    }
    if (bytes.length <= COPY_BYTES) wire.text(plan.head, bytes);
    else wire.both(plan.head, bytes);
    sender.sent(bytes.length);
  }
}

/** Only so can it be seen whether the client still reads. */
function* piecesOf(body: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
}

/** Whether an answer goes on for as long as its client likes, which comes again when it ends (HTML, section 9.2). */
export function isEventStream({ headers }: HttpResponse): boolean {
  return getHeader(headers, 'content-type')?.toLowerCase().startsWith('text/event-stream') === true;
}

/** Lets go of a body that will not be sent. */
export function discardBody(body: Body | undefined): void {
  if (body instanceof Readable) body.on('error', () => {}).destroy();
  else if (isFileBody(body)) closeSync(body.fd);
}

/** Sends a stream: in chunks, or as many bytes as were promised, no faster than the client reads. */
class StreamSender {
  readonly #wire: Wire;
  readonly #plan: AnswerPlan;
  readonly #trailers: HttpResponse['trailers'];
  readonly #source: Readable;
  readonly #sender: Sender;
  #head: string;
  #bytes = 0;
  #isOver = false;
  readonly #timer: NodeJS.Timeout;

  constructor(wire: Wire, plan: AnswerPlan, response: HttpResponse, source: Readable, sender: Sender) {
    this.#wire = wire;
    this.#plan = plan;
    this.#trailers = response.trailers;
    this.#source = source;
    this.#sender = sender;
    this.#head = plan.head;
    this.#timer = setTimeout(() => this.#sendHead(), HEAD_WAIT_MS);
    wire.source = {
      destroy: () => this.#stop(new Error('the client has left')),
      ...(isEventStream(response) && { end: () => this.#endEarly() }),
    };
    source.on('error', (error) => this.#stop(error));
    source.on('close', () => {
      // Trailers may take longer than the stream needs to close after its end.
      if (!source.readableEnded) this.#stop(new Error('the content ended too early'));
    });
    source.on('end', () => this.#end());
    source.on('data', (chunk: Buffer | string) => this.#chunk(chunk));
    if (source.destroyed) this.#stop(source.errored ?? new Error('the content is gone'));
    else if (source.readableEnded) this.#end();
  }

  #sendHead(): void {
    if (this.#head === '' || this.#isOver) return;
    this.#wire.text(this.#head);
    this.#head = '';
  }

  #chunk(chunk: Buffer | string): void {
    if (this.#isOver) return;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (bytes.length === 0) return;
    this.#bytes += bytes.length;
    if (this.#plan.framing === 'length' && this.#bytes > this.#plan.length) {
      this.#stop(new RangeError('the content is longer than its Content-Length'));
      return;
    }
    const isChunked = this.#plan.framing === 'chunked';
    const before = isChunked ? `${this.#head}${bytes.length.toString(16)}\r\n` : this.#head;
    this.#head = '';
    this.#wire.both(before, bytes, isChunked ? '\r\n' : '');
    if (!this.#wire.blocked) return;
    this.#source.pause();
    this.#wire.whenDrained(() => this.#source.resume());
  }

  #end(): void {
    if (this.#isOver) return;
    if (this.#plan.framing !== 'chunked') {
      if (this.#plan.framing === 'length' && this.#bytes < this.#plan.length) {
        this.#stop(new RangeError('the content is shorter than its Content-Length'));
      } else this.#finish('');
      return;
    }
    if (this.#trailers === undefined) {
      this.#finish('0\r\n\r\n');
      return;
    }
    new Promise<HeaderList>((resolve) => resolve(this.#trailers?.() ?? []))
      .then(
        (trailers) => this.#finish(`0\r\n${serializeFields(trailers).text}\r\n`),
        (error) => this.#stop(error),
      )
      .catch((error) => this.#stop(error));
  }

  #endEarly(): void {
    this.#finish(this.#plan.framing === 'chunked' ? '0\r\n\r\n' : '');
    discardBody(this.#source);
  }

  #finish(last: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#wire.text(this.#head + last);
    this.#sender.sent(this.#bytes);
  }

  #stop(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    discardBody(this.#source);
    // With the head still here nothing has been said: the failure may have an answer of its own.
    this.#sender.sent(this.#head === '' ? this.#bytes : -1, error);
  }
}
