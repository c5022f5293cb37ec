import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { GatewayError } from '../../http/gateway-error.js';
import type { ScriptOutput } from '../script-answer.js';
import { encodeBegin, encodeEnd, encodePairs, encodeStream, PARAMS, RecordParser, STDIN } from './records.js';

/** One request as the application gets it. */
export interface FastcgiRequest {
  readonly variables: Readonly<Record<string, string>>;
  readonly body: Readable | undefined;
  /** How long the application may be silent while it is waited for. */
  readonly timeoutMs: number;
  readonly onStderr: (text: string) => void;
}

/** Thrown when a connection ended before anything came back on it. */
export class StaleConnection extends Error {}

/** How much is kept for a reader that is slower than the application. */
const MAX_QUEUED_BYTES = 256 * 1024;

/** What protocolStatus says beside 0, request complete (FastCGI 1.0, section 5.5). */
const PROTOCOL_STATUS: Readonly<Record<number, [status: 502 | 503, words: string]>> = {
  1: [503, 'takes one request at a time'],
  2: [503, 'is overloaded'],
  3: [502, 'does not know the role of a responder'],
};

/** A connection to a FastCGI application, for one request after the other. */
export class FastcgiConnection {
  readonly #socket: Socket;
  #exchange: Exchange | undefined;
  #isFit = true;
  /** Called when it ends, also while it waits for its next use. */
  onClose: () => void = () => {};
  /** Whether it has ever answered: until then it may still stand in the application's queue. */
  hasAnswered = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      if (this.#exchange === undefined) return this.destroy();
      this.hasAnswered = true;
      this.#exchange.receive(chunk);
    });
    socket.on('error', () => {});
    socket.on('end', () => this.destroy());
    socket.on('close', () => {
      this.#isFit = false;
      this.#exchange?.fail(undefined);
      this.onClose();
    });
  }

  get isFit(): boolean {
    return this.#isFit && this.#exchange === undefined;
  }

  destroy(): void {
    this.#isFit = false;
    this.#socket.destroy();
  }

  /** Sends a request; its output is to be released. `onFree` says whether the connection can be used again. */
  run(request: FastcgiRequest, onFree: (isReusable: boolean) => void): ScriptOutput {
    const exchange = new Exchange(this.#socket, request, (isReusable) => {
      this.#exchange = undefined;
      // PHP goes on with its script when it is told to abort: only the end of the connection ends it.
      if (!isReusable) this.destroy();
      onFree(isReusable);
    });
    this.#exchange = exchange;
    exchange.send();
    return exchange;
  }
}

class Exchange implements ScriptOutput {
  readonly #socket: Socket;
  readonly #request: FastcgiRequest;
  readonly #onFree: (isReusable: boolean) => void;
  readonly #parser: RecordParser;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #wake: (() => void) | undefined;
  #isSent = false;
  #hasHeard = false;
  #isOver = false;
  #failure: Error | undefined;
  #isReleased = false;
  #stderr = '';

  constructor(socket: Socket, request: FastcgiRequest, onFree: (isReusable: boolean) => void) {
    this.#socket = socket;
    this.#request = request;
    this.#onFree = onFree;
    this.#parser = new RecordParser({
      onStdout: (bytes) => this.#keep(bytes),
      onStderr: (bytes) => this.#complain(bytes),
      onEnd: (protocolStatus) => this.#end(protocolStatus),
    });
  }

  send(): void {
    const { variables, body } = this.#request;
    const head = [encodeBegin(), ...encodeStream(PARAMS, encodePairs(variables)), encodeEnd(PARAMS)];
    if (body === undefined) {
      this.#socket.write(Buffer.concat([...head, encodeEnd(STDIN)]));
      this.#isSent = true;
      return;
    }
    this.#socket.write(Buffer.concat(head));
    this.#sendBody(body).catch((error) => this.fail(error));
  }

  async #sendBody(body: Readable): Promise<void> {
    for await (const chunk of body) {
      // An application need not read what it is given.
      if (this.#isOver || this.#isReleased) return;
      let isFull = false;
      for (const piece of encodeStream(STDIN, chunk as Buffer)) isFull = !this.#socket.write(piece);
      if (isFull) await drained(this.#socket);
    }
    this.#socket.write(encodeEnd(STDIN));
    this.#isSent = true;
  }

  receive(chunk: Buffer): void {
    this.#hasHeard = true;
    try {
      if (this.#isOver) throw new GatewayError(502, 'FastCGI records after the end of the request');
      this.#parser.push(chunk);
    } catch (error) {
      this.fail(error as Error);
      this.#socket.destroy();
    }
    if (this.#queuedBytes > MAX_QUEUED_BYTES) this.#socket.pause();
    this.#wake?.();
  }

  /** The connection ended, or what came on it was no FastCGI. */
  fail(error: Error | undefined): void {
    if (this.#isOver || this.#failure !== undefined) return;
    this.#failure =
      error ??
      (this.#hasHeard
        ? new GatewayError(502, 'the application closed the connection before its answer was complete')
        : new StaleConnection('the application closed the connection without an answer'));
    this.#wake?.();
  }

  async read(): Promise<Buffer | undefined> {
    while (this.#queue.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return undefined;
      await this.#wait();
    }
    const chunk = this.#queue.length === 1 ? (this.#queue[0] as Buffer) : Buffer.concat(this.#queue);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#socket.resume();
    return chunk;
  }

  rest(): Buffer | undefined {
    return this.#isOver && this.#failure === undefined ? Buffer.concat(this.#queue.splice(0)) : undefined;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const isReusable = this.#isOver && this.#isSent && this.#failure === undefined;
    // Whoever still waits for output is not to wait for ever.
    this.fail(new Error('nobody wants the rest of the answer'));
    this.#socket.resume();
    this.#onFree(isReusable);
  }

  #wait(): Promise<void> {
    const { timeoutMs } = this.#request;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.fail(new GatewayError(504, `the application said nothing for ${timeoutMs} ms`));
      }, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #keep(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.byteLength;
  }

  /** Complaints, a line at a time: a record may end anywhere. */
  #complain(bytes: Buffer): void {
    const lines = (this.#stderr + bytes.toString()).split(/\r?\n/);
    // A line without an end is not waited for for ever.
    this.#stderr = (lines.at(-1) as string).length > 8192 ? '' : (lines.pop() as string);
    for (const line of lines) if (line !== '') this.#request.onStderr(line);
  }

  #end(protocolStatus: number): void {
    if (this.#stderr !== '') this.#request.onStderr(this.#stderr);
    this.#stderr = '';
    const problem = protocolStatus === 0 ? undefined : (PROTOCOL_STATUS[protocolStatus] ?? [502, 'failed']);
    if (problem !== undefined) this.fail(new GatewayError(problem[0], `the application ${problem[1]}`));
    this.#isOver = true;
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
