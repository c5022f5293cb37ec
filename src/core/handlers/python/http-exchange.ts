import { NettoolError, toNettoolError } from '../../errors.js';
import type { Body, HeaderList, HttpResponse, IncomingRequest } from '../../http/messages.js';
import { isEventStream } from '../../http/server/send-content.js';
import { AnswerBody } from './answer-body.js';
import { closeAnswerFile, openAnswerFile } from './answer-file.js';
import { parseHead, toText } from './answer-head.js';
import { FLAG, FRAME, type IncomingFrame } from './frames.js';
import type { Exchange, Lane, LaneService, OpeningFrame } from './lane.js';
import type { ContentPump } from './request-content.js';

/** A client that stays this long is watched: whether it leaves, and whether it has waited too long. */
const WATCH_AFTER_MS = 50;

/** Why an exchange has no answer of the application's own. */
export interface ExchangeFailure {
  /** 500: it failed. 502: its worker died. 503: no worker was free. 504: it took too long. */
  readonly status: 500 | 502 | 503 | 504;
  readonly message: string;
  readonly traceback?: string;
}

/** Whom exchanges tell what goes wrong. */
export interface ExchangeOwner {
  readonly requestTimeoutMs: number;
  /** What the client gets when there is no answer. */
  answerFailure(request: IncomingRequest, failure: ExchangeFailure): HttpResponse;
  /** The answer had begun, or nobody waits for it: for the log. */
  onFailure(request: IncomingRequest, failure: ExchangeFailure): void;
  /** The request hangs in its worker. */
  onTimeout(exchange: Exchange, lane: Lane): void;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Waiting for the head; the head was given; the worker has said its last. */
type Phase = 'waiting' | 'answered' | 'over';

/** One HTTP request in a worker. */
export class HttpExchange implements Exchange {
  readonly opening: OpeningFrame;
  askedAt = performance.now();
  readonly response: Promise<HttpResponse>;
  lane: Lane | undefined;
  sentAt = 0;
  readonly #request: IncomingRequest;
  readonly #owner: ExchangeOwner;
  #settle!: (response: HttpResponse | Promise<HttpResponse>) => void;
  #phase: Phase = 'waiting';
  #isGone = false;
  /** Content that goes to the worker as it comes. */
  #pump: ContentPump | undefined;
  #body: AnswerBody | undefined;
  #trailers: PromiseWithResolvers<HeaderList> | undefined;
  #streamed: HttpResponse | undefined;
  #onAbort: (() => void) | undefined;

  constructor(owner: ExchangeOwner, request: IncomingRequest, opening: OpeningFrame) {
    this.#owner = owner;
    this.#request = request;
    this.opening = opening;
    this.response = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get isOver(): boolean {
    return this.#phase === 'over' || this.#isGone;
  }

  onFrame(frame: IncomingFrame): boolean {
    const isEnd = (frame.flags & FLAG.END) !== 0;
    switch (frame.kind) {
      case FRAME.HEAD:
        this.#onHead(frame, isEnd);
        return isEnd;
      case FRAME.DATA:
        this.#body?.add(frame.body);
        if (isEnd) this.#finish();
        return isEnd;
      case FRAME.TRAILERS:
        this.#trailers?.resolve(parseHead(frame.head).headers);
        this.#finish();
        return true;
      case FRAME.FILE:
        void this.#sendFile(frame);
        // A thread waits for our word; an event loop has done its part.
        return this.lane?.isShared === true;
      case FRAME.TOOK:
        this.#pump?.taken(frame.number);
        return false;
      case FRAME.HINT:
        this.#request.earlyHints?.(parseHead(frame.head).headers);
        return false;
      case FRAME.ERROR:
        this.#fail({ status: 500, message: toText(frame.head), traceback: frame.body.toString('utf8') });
        return true;
      default:
        return false;
    }
  }

  /** Has content sent after the opening frame. */
  startPump(pump: ContentPump): void {
    this.#pump = pump;
  }

  /** It was sent: content may follow. */
  onStarted(): void {
    const { lane } = this;
    const { id } = this.opening;
    if (this.#pump === undefined || lane === undefined) return;
    this.#pump
      .run((body) => lane.send({ kind: FRAME.BODY, id, body }))
      .then(
        () => lane.send({ kind: FRAME.BODY, id, flags: FLAG.END }),
        (error) => this.#breakOff(error),
      );
  }

  onServed(service: LaneService): void {
    this.#request.note?.(service);
  }

  onLost(message: string): void {
    if (this.#phase !== 'over') this.#fail({ status: 502, message });
  }

  /** What goes on for ever ends in order: its client comes back, to newer code. */
  onRetire(): void {
    const answer = this.#streamed;
    if (this.isOver || answer === undefined || !isEventStream(answer) || answer.trailers !== undefined)
      return;
    this.lane?.abort(this);
    this.#finish();
    // What a thread still has to say has nowhere to go.
    this.#body = undefined;
  }

  watch(now: number): void {
    if (now - this.askedAt < WATCH_AFTER_MS || this.#phase === 'over') return;
    this.#watchClient();
    const { requestTimeoutMs } = this.#owner;
    if (this.#phase !== 'waiting' || this.#isGone || now - this.askedAt < requestTimeoutMs) return;
    const { lane } = this;
    if (lane === undefined) {
      this.#request.note?.({ queueMs: now - this.askedAt });
      this.#fail({ status: 503, message: `no worker was free within ${requestTimeoutMs / 1000} s` });
      return;
    }
    this.#request.note?.(lane.serviceOf(this, now));
    const message = `the application did not answer within ${requestTimeoutMs / 1000} s`;
    this.#fail({ status: 504, message });
    this.#owner.onTimeout(this, lane);
  }

  #watchClient(): void {
    if (this.#onAbort !== undefined) return;
    this.#onAbort = () => this.#leave();
    const { signal } = this.#request;
    if (signal.aborted) this.#leave();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  #onHead(frame: IncomingFrame, isEnd: boolean): void {
    if (this.#phase !== 'waiting') return;
    if (this.#isGone) {
      if (isEnd) this.#phase = 'over';
      else this.lane?.abort(this);
      return;
    }
    if (isEnd) {
      this.#answer(frame.head, frame.body.length > 0 ? frame.body : undefined);
      this.#finish();
      return;
    }
    const body = new AnswerBody({
      onTaken: (number) => this.lane?.send({ kind: FRAME.CREDIT, id: this.opening.id, number }),
      onDropped: () => this.#leave(),
    });
    this.#body = body;
    if (frame.body.length > 0) body.add(frame.body);
    if (frame.flags & FLAG.TRAILERS) this.#trailers = Promise.withResolvers();
    this.#answer(frame.head, body);
  }

  #answer(head: string, body: Body | undefined): void {
    this.#phase = 'answered';
    const { status, reason, headers } = parseHead(head);
    const response: Mutable<HttpResponse> = { status, headers };
    if (reason !== undefined) response.reason = reason;
    if (body !== undefined) response.body = body;
    const trailers = this.#trailers?.promise;
    if (trailers !== undefined) response.trailers = () => trailers;
    if (this.#body !== undefined) this.#streamed = response;
    this.#settle(response);
  }

  async #sendFile(frame: IncomingFrame): Promise<void> {
    const { lane } = this;
    const reply = (number: number): void =>
      lane?.send({ kind: FRAME.FILE_REPLY, id: this.opening.id, number });
    try {
      const file = await openAnswerFile(frame.body);
      if (this.#phase !== 'waiting' || this.#isGone) {
        closeAnswerFile(file);
        if (lane?.isShared === false) lane.abort(this);
        return;
      }
      this.#answer(frame.head, file);
      this.#finish();
      reply(1);
      lane?.settle(this);
    } catch (error) {
      // The thread then reads the file itself.
      if (lane?.isShared === false) reply(0);
      else this.#fail({ status: 500, message: toNettoolError(error, 'cannot open the file').message });
    }
  }

  #finish(): void {
    this.#phase = 'over';
    this.#body?.finish();
    this.#unwatch();
  }

  /** The content could not be read to its end: too large, too slow, or the client left. The server knows which. */
  #breakOff(error: Error): void {
    if (this.isOver) return;
    const isWaiting = this.#phase === 'waiting';
    this.lane?.abort(this);
    this.#phase = 'over';
    this.#unwatch();
    if (isWaiting) this.#settle(Promise.reject(error));
    else this.#body?.destroy(error);
  }

  /** Nobody will hear the rest: the client has gone, or the server stops. */
  #leave(): void {
    if (this.#phase === 'over' || this.#isGone) return;
    this.#isGone = true;
    this.#unwatch();
    this.lane?.abort(this);
    this.#body?.destroy(this.#request.signal.reason);
    // Nobody reads it; the promise must not stay open for ever.
    if (this.#phase === 'waiting') this.#settle({ status: 503, headers: [] });
  }

  #fail(failure: ExchangeFailure): void {
    const { message } = failure;
    const before = this.#phase;
    this.#phase = 'over';
    this.#unwatch();
    // A thread that was told that nobody hears it says only that it has let go.
    if (this.#isGone || before === 'over') {
      if (failure.traceback) this.#owner.onFailure(this.#request, failure);
      return;
    }
    this.#owner.onFailure(this.#request, failure);
    if (before === 'waiting') this.#settle(this.#owner.answerFailure(this.#request, failure));
    // Cut off rather than ended: the client must see that the answer is not complete.
    else this.#body?.destroy(new NettoolError('INTERNAL', message));
  }

  #unwatch(): void {
    this.#pump?.stop();
    if (this.#onAbort !== undefined) this.#request.signal.removeEventListener('abort', this.#onAbort);
  }
}
