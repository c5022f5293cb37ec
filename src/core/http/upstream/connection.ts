import type { Duplex } from 'node:stream';
import { toNettoolError } from '../../errors.js';
import type { SocketReader } from '../../net/socket-reader.js';
import { GatewayError } from '../gateway-error.js';
import type { HeaderList } from '../messages.js';
import { type ReplyHead, STRICT_RULES } from '../reply-head.js';
import { ReplyParser, type ReplySink } from '../reply-parser.js';
import type { Clock, Timed } from '../server/clock.js';
import { type BodySource, ReplyBody } from './reply-body.js';
import { NoReply, toReplyError } from './reply-error.js';
import { sendBody } from './request-body.js';
import type { UpstreamReply, UpstreamRequest, UpstreamTimeouts } from './types.js';

const NO_TRAILERS: HeaderList = [];
const noTrailers = (): HeaderList => NO_TRAILERS;

interface Waiter {
  resolve(reply: UpstreamReply): void;
  reject(error: Error): void;
}

/** One HTTP/1 connection to an upstream: a request, its reply, the next request (RFC 9112, section 9). */
export class UpstreamConnection implements ReplySink, BodySource, Timed {
  deadline = Number.POSITIVE_INFINITY;
  /** Called once per exchange, when it is over and, if so, the connection can carry another one. */
  onFree: (isReusable: boolean) => void = () => {};
  /** Called when the connection has ended. */
  onClose: () => void = () => {};
  readonly socket: Duplex;
  readonly #clock: Clock;
  readonly #timeouts: UpstreamTimeouts;
  readonly #reader: SocketReader | undefined;
  readonly #parser = new ReplyParser(this, STRICT_RULES);
  #request: UpstreamRequest | undefined;
  #waiter: Waiter | undefined;
  #head: ReplyHead | undefined;
  #chunks: Buffer[] = [];
  #body: ReplyBody | undefined;
  #trailers = NO_TRAILERS;
  #upgradeRest: Buffer | undefined;
  #isSent = true;
  #isPaused = false;
  #isEnded = false;
  #hasHeard = false;
  #isClosed = false;
  #error: Error | undefined;

  /** @param reader what reads the socket, when its bytes are only lent */
  constructor(socket: Duplex, clock: Clock, timeouts: UpstreamTimeouts, reader?: SocketReader) {
    this.socket = socket;
    this.#clock = clock;
    this.#timeouts = timeouts;
    this.#reader = reader;
    clock.watch(this);
    if (reader === undefined) socket.on('data', this.#receive);
    else reader.onBytes(this.#receive);
    socket.resume();
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Whether it waits for its next request and nothing was heard that would speak against it. */
  get isFit(): boolean {
    return !this.#isClosed && this.#request === undefined && !this.socket.destroyed;
  }

  destroy(): void {
    this.#isClosed = true;
    this.socket.destroy();
  }

  /** Sends a request; resolves with the head of its reply. */
  send(request: UpstreamRequest): Promise<UpstreamReply> {
    this.#request = request;
    this.#head = undefined;
    this.#body = undefined;
    this.#trailers = NO_TRAILERS;
    this.#isEnded = false;
    this.#hasHeard = false;
    this.#parser.begin(request.method, request.mayUpgrade);
    request.signal?.addEventListener('abort', this.abandon);
    this.deadline = this.#clock.after(this.#timeouts.responseMs);
    // Before the first byte: one in the same process answers while it is written to.
    const reply = new Promise<UpstreamReply>((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
    this.#write(request);
    return reply;
  }

  /** Nobody waits for the reply any more: the only way to tell the upstream is to end the connection. */
  readonly abandon = (): void => {
    if (this.#request !== undefined) this.#fail(new GatewayError(502, 'the client has left'));
  };

  resumeBody(): void {
    if (this.#request === undefined) return;
    this.deadline = this.#clock.after(this.#timeouts.stallMs);
    this.#resume();
  }

  onDeadline(): void {
    if (this.#request === undefined) return;
    const { responseMs, stallMs } = this.#timeouts;
    if (this.#head === undefined) this.#fail(new GatewayError(504, `no answer within ${responseMs} ms`));
    else this.#fail(new GatewayError(504, `the answer stood still for ${stallMs} ms`));
  }

  onInterim(status: number, headers: HeaderList): void {
    // 100 answers an expectation that was ours to answer.
    if (status !== 100) this.#request?.onInterim?.(status, headers);
  }

  onHead(head: ReplyHead): void {
    this.#head = head;
  }

  onBody(bytes: Buffer): void {
    const content = this.#reader === undefined ? bytes : Buffer.from(bytes);
    if (this.#body === undefined) this.#chunks.push(content);
    else this.#give(this.#body, content);
  }

  #give(body: ReplyBody, content: Buffer): void {
    if (body.deliver(content)) return;
    // The reader is slower than the upstream: no one is to blame for the time it takes.
    this.deadline = Number.POSITIVE_INFINITY;
    this.#isPaused = true;
    this.socket.pause();
  }

  onEnd(trailers: HeaderList): void {
    this.#trailers = trailers;
    this.#isEnded = true;
  }

  onUpgrade(head: ReplyHead, rest: Buffer): void {
    this.#head = head;
    this.#upgradeRest = Buffer.from(rest);
  }

  #write(request: UpstreamRequest): void {
    const { body } = request;
    this.#isSent = body === undefined || Buffer.isBuffer(body);
    if (body === undefined) this.socket.write(request.head, 'latin1');
    else if (Buffer.isBuffer(body))
      this.socket.write(Buffer.concat([Buffer.from(request.head, 'latin1'), body]));
    else {
      this.socket.write(request.head, 'latin1');
      const progress = (): void => {
        if (this.#request !== request || this.#head !== undefined) return;
        this.deadline = this.#clock.after(Math.max(this.#timeouts.responseMs, this.#timeouts.stallMs));
      };
      // Waiting for the client's bytes is not waiting for the upstream.
      this.deadline = Number.POSITIVE_INFINITY;
      sendBody(this.socket, body, () => this.#request === request && !this.#isEnded, progress).then(
        (isComplete) => {
          if (this.#request !== request || !isComplete) return;
          this.#isSent = true;
          if (this.#head === undefined) this.deadline = this.#clock.after(this.#timeouts.responseMs);
        },
        (error) => {
          // The client broke off: the upstream must not take what it has for the whole.
          if (this.#request === request) this.#fail(error as Error);
        },
      );
    }
  }

  readonly #receive = (chunk: Buffer): boolean => {
    this.#hasHeard = true;
    if (this.#request === undefined) {
      // Nobody asked for anything: whatever it is, it must not become the reply to the next request.
      this.destroy();
      return false;
    }
    if (this.#head !== undefined) this.deadline = this.#clock.after(this.#timeouts.stallMs);
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.#error = toReplyError(error);
    }
    this.#advance();
    return !this.#isPaused;
  };

  /** Hands on what has been read since. */
  #advance(): void {
    const head = this.#head;
    if (head !== undefined && this.#upgradeRest !== undefined) {
      this.#handOver(head, this.#upgradeRest);
      return;
    }
    // A reply that is complete counts, whatever came after it on the connection.
    if (this.#error !== undefined && !this.#isEnded) {
      this.#fail(this.#error);
      return;
    }
    if (head === undefined) return;
    if (this.#waiter !== undefined) this.#deliver(head);
    else if (this.#isEnded) this.#body?.finish(this.#trailers);
    if (!this.#isEnded) return;
    const isShared = this.#request?.isPersonal !== true;
    this.#free(isShared && this.#error === undefined && this.#isSent && this.#parser.isReusable);
  }

  #deliver(head: ReplyHead): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    if (this.#isEnded) {
      const body = chunks.length > 1 ? Buffer.concat(chunks) : chunks[0];
      const trailers = this.#trailers;
      this.#settle()?.resolve({
        head,
        body,
        trailers: trailers.length === 0 ? noTrailers : () => trailers,
      });
      return;
    }
    const body = new ReplyBody(this);
    this.#body = body;
    this.deadline = this.#clock.after(this.#timeouts.stallMs);
    for (const chunk of chunks) this.#give(body, chunk);
    this.#settle()?.resolve({ head, body, trailers: () => body.trailers });
  }

  #handOver(head: ReplyHead, rest: Buffer): void {
    const { socket } = this;
    socket.off('data', this.#receive);
    socket.off('end', this.#onEnd);
    socket.pause();
    this.#reader?.onBytes((bytes) => socket.push(Buffer.from(bytes)));
    this.deadline = Number.POSITIVE_INFINITY;
    const waiter = this.#settle();
    this.#endRequest();
    this.onFree(false);
    waiter?.resolve({ head, body: undefined, trailers: noTrailers, upgraded: { socket, rest } });
  }

  #fail(error: Error): void {
    if (this.#request === undefined) return;
    const body = this.#body;
    const waiter = this.#settle();
    this.#free(false);
    waiter?.reject(error);
    body?.destroy(error);
  }

  #free(isReusable: boolean): void {
    this.#endRequest();
    this.#chunks = [];
    this.deadline = Number.POSITIVE_INFINITY;
    if (isReusable) this.#resume();
    else this.destroy();
    this.onFree(isReusable);
  }

  #endRequest(): void {
    this.#request?.signal?.removeEventListener('abort', this.abandon);
    this.#request = undefined;
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }

  #settle(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
  }

  readonly #onEnd = (): void => {
    this.#isClosed = true;
    if (this.#request !== undefined && this.#parser.finish()) this.#advance();
    this.socket.destroy();
  };

  readonly #onError = (error: Error): void => {
    this.#isClosed = true;
    this.#error ??= this.#broken(`the connection broke: ${toNettoolError(error).message}`, error);
  };

  readonly #onClose = (): void => {
    this.#isClosed = true;
    this.#clock.unwatch(this);
    this.#fail(this.#error ?? this.#broken('the connection ended before the reply did'));
    this.onClose();
  };

  /** Without a word of the reply the request may not have been seen. */
  #broken(reason: string, cause?: unknown): GatewayError {
    return this.#hasHeard ? new GatewayError(502, reason, cause) : new NoReply(reason, cause);
  }
}
