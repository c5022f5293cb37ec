import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { GatewayError } from '../../http/gateway-error.js';
import { parseKnownCgiHead } from '../cgi-response.js';
import { type ScriptHead, type ScriptOutput, takeScriptHead } from '../script-answer.js';
import type { Asking } from './link.js';
import { encodeEnd, encodeStream, type RecordSink, STDIN } from './records.js';
import { Unread } from './unread.js';

/** A request for the application, which is told what becomes of it. */
export interface FastcgiCall extends Asking {
  readonly method: string;
  /** Aborts when nobody wants an answer any more; asked for where a connection has to be made first. */
  readonly signal: AbortSignal;
  /** Everything but the body, as `encodeRequest` made it. Asked for once for each attempt. */
  begin(): string;
  /** The body from its start; all of it at once when it is at hand. */
  body(): Buffer | Readable | undefined;
  onStderr(text: string): void;
  /** The head has come; the rest is read from the output. */
  onHead(head: ScriptHead, output: ScriptOutput): void;
  /** There will be no head. */
  onFailure(error: unknown): void;
  /** The client's own: what carries it. */
  exchange?: Exchange | undefined;
}

/** What an exchange asks of its connection. */
export interface ExchangeLine {
  readonly socket: Socket;
  /** Something has come. */
  heard(): void;
  /** More is wanted, after `advance` has said that nothing is. */
  resume(): void;
  /** The exchange is over; whether another one may follow. */
  end(isReusable: boolean): void;
  /** The exchange is over before anything has come. */
  stale(call: FastcgiCall, error: StaleConnection): void;
}

/** Thrown when a connection ended before anything came back on it. */
export class StaleConnection extends Error {}

/** What protocolStatus says beside 0, request complete (FastCGI 1.0, section 5.5). */
const PROTOCOL_STATUS: Readonly<Record<number, [status: 502 | 503, words: string]>> = {
  1: [503, 'takes one request at a time'],
  2: [503, 'is overloaded'],
  3: [502, 'does not know the role of a responder'],
};

/** A request on a connection, and the output that comes back. */
export class Exchange implements ScriptOutput, RecordSink {
  /** The client has all it is to have; the script may go on for a while, and nobody hears what it says. */
  isAnswered = false;
  readonly #line: ExchangeLine;
  readonly #call: FastcgiCall;
  readonly #unread = new Unread();
  /** Of the head, how much was looked through for its end. */
  #searchedBytes = 0;
  #hasHead = false;
  #isHeard = false;
  #isSent = false;
  #isOver = false;
  #isFree = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #stderr = '';

  constructor(line: ExchangeLine, call: FastcgiCall) {
    this.#line = line;
    this.#call = call;
  }

  send(): void {
    const { socket } = this.#line;
    const head = this.#call.begin();
    const body = this.#call.body();
    if (Buffer.isBuffer(body)) {
      socket.cork();
      socket.write(head, 'latin1');
      for (const piece of encodeStream(STDIN, body)) socket.write(piece);
      socket.write(encodeEnd(STDIN));
      socket.uncork();
    } else socket.write(head, 'latin1');
    if (body instanceof Readable) this.#sendBody(body).catch((error) => this.fail(error));
    else this.#isSent = true;
  }

  async #sendBody(body: Readable): Promise<void> {
    const { socket } = this.#line;
    for await (const chunk of body) {
      // An application need not read what it is given.
      if (this.#isFree) return;
      let isFull = false;
      for (const piece of encodeStream(STDIN, chunk as Buffer)) isFull = !socket.write(piece);
      if (isFull) await drained(socket);
    }
    if (this.#isFree) return;
    socket.write(encodeEnd(STDIN));
    this.#isSent = true;
  }

  /** Everything that a piece of input holds has been told; whether more is wanted. */
  advance(): boolean {
    if (!this.#isHeard) {
      this.#isHeard = true;
      this.#line.heard();
    }
    const head = this.#hasHead ? undefined : this.#takeHead();
    // First: with its answer at hand the call lets go of the exchange, which must not look broken off.
    if (this.#isOver) this.#free(this.#isSent && this.#failure === undefined);
    if (head === undefined) this.#wake?.();
    else this.#call.onHead(head, this);
    return this.#isFree || !this.#unread.isFull;
  }

  #takeHead(): ScriptHead | undefined {
    const bytes = this.#unread.look();
    const head = takeScriptHead(bytes, this.#searchedBytes, this.#isOver, parseKnownCgiHead);
    this.#searchedBytes = bytes.byteLength;
    if (head === undefined) return undefined;
    this.#hasHead = true;
    this.#unread.clear();
    return head;
  }

  /** The connection ended, what came on it was no FastCGI, or nobody wants it any more. */
  fail(error: Error | undefined): void {
    if (this.#isFree || this.#failure !== undefined) return;
    this.#failure =
      error ??
      (this.#isHeard
        ? new GatewayError(502, 'the application closed the connection before its answer was complete')
        : new StaleConnection('the application closed the connection without an answer'));
    this.#free(false);
    this.#wake?.();
    if (this.#hasHead) return;
    this.#unread.clear();
    if (this.#failure instanceof StaleConnection) this.#line.stale(this.#call, this.#failure);
    else this.#call.onFailure(this.#failure);
  }

  async read(): Promise<Buffer | undefined> {
    while (this.#unread.isEmpty) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    const chunk = this.#unread.take();
    if (!this.#isFree && !this.#unread.isFull) this.#line.resume();
    return chunk;
  }

  rest(): Buffer | undefined {
    if (!this.#isOver || this.#failure !== undefined) return undefined;
    const bytes = this.#unread.look();
    this.#unread.clear();
    return bytes;
  }

  release(isAnswered: boolean): void {
    this.#unread.clear();
    if (this.#isFree) return;
    // What HEAD is not told may have no end.
    this.isAnswered = isAnswered && this.#isSent && this.#call.method !== 'HEAD';
    if (this.isAnswered) this.#line.resume();
    else this.fail(new Error('nobody wants the rest of the answer'));
  }

  onStdout(bytes: Buffer): void {
    if (this.#isOver) throw new GatewayError(502, 'FastCGI records after the end of the request');
    if (this.isAnswered) return;
    this.#unread.add(bytes);
  }

  /** Complaints, a line at a time: a record may end anywhere. */
  onStderr(bytes: Buffer): void {
    const lines = (this.#stderr + bytes.toString()).split(/\r?\n/);
    // A line without an end is not waited for for ever.
    this.#stderr = (lines.at(-1) as string).length > 8192 ? '' : (lines.pop() as string);
    for (const line of lines) if (line !== '') this.#call.onStderr(line);
  }

  onEnd(protocolStatus: number): void {
    if (this.#stderr !== '') this.#call.onStderr(this.#stderr);
    this.#stderr = '';
    const problem = protocolStatus === 0 ? undefined : (PROTOCOL_STATUS[protocolStatus] ?? [502, 'failed']);
    if (problem !== undefined) throw new GatewayError(problem[0], `the application ${problem[1]}`);
    this.#isOver = true;
  }

  #free(isReusable: boolean): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.#line.end(isReusable);
  }
}

/** Resolves when more can be written, or nothing more ever can. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off('drain', settle);
      socket.off('close', settle);
      resolve();
    };
    socket.on('drain', settle);
    socket.on('close', settle);
  });
}
