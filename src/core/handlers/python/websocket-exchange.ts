import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { AnswerBody } from './answer-body.js';
import { parseHead, toText } from './answer-head.js';
import { FLAG, FRAME, type IncomingFrame } from './frames.js';
import type { ExchangeFailure, ExchangeOwner } from './http-exchange.js';
import type { Exchange, Lane, OpeningFrame } from './lane.js';

/** Messages may be so many bytes ahead of the application before the client is no longer read. */
const WINDOW_BYTES = 262_144;

/** Completes a handshake. */
export type AcceptWebSocket = (accepted: AcceptedHandshake) => Promise<WebSocket>;

/** What the application has accepted a handshake with. */
export interface AcceptedHandshake {
  readonly protocol: string;
  readonly headers: HttpResponse['headers'];
}

/** One WebSocket in a worker: opened there, framed here. */
export class WebSocketExchange implements Exchange {
  readonly opening: OpeningFrame;
  askedAt = performance.now();
  /** Resolves with an answer when the WebSocket is refused, with nothing once it is open. */
  readonly outcome: Promise<HttpResponse | undefined>;
  lane: Lane | undefined;
  sentAt = 0;
  readonly #owner: ExchangeOwner;
  readonly #request: IncomingRequest;
  readonly #accept: AcceptWebSocket;
  #settle!: (response: HttpResponse | Promise<HttpResponse> | undefined) => void;
  #socket: WebSocket | undefined;
  #denial: AnswerBody | undefined;
  #isSettled = false;
  #isClosed = false;
  #aheadBytes = 0;
  #isOpening = false;
  /** What the application sends while the handshake is under way. */
  #early: IncomingFrame[] = [];

  constructor(
    owner: ExchangeOwner,
    request: IncomingRequest,
    opening: OpeningFrame,
    transport: { readonly socket: Duplex; readonly accept: AcceptWebSocket },
  ) {
    this.#owner = owner;
    this.#request = request;
    this.#accept = transport.accept;
    this.opening = opening;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    // Once it is open, the end is told by the WebSocket, which knows the code.
    transport.socket.once('close', () => {
      if (this.#socket === undefined) this.#onGone(1006, '');
    });
  }

  get isOver(): boolean {
    return this.#isClosed;
  }

  onFrame(frame: IncomingFrame): boolean {
    if (this.#isOpening) {
      this.#early.push(frame);
      return false;
    }
    switch (frame.kind) {
      case FRAME.WS_ACCEPT:
        void this.#open(frame);
        return false;
      case FRAME.WS_SEND:
        this.#send(frame);
        return false;
      case FRAME.WS_CLOSE:
        this.#socket?.close(frame.number, toText(frame.head));
        return false;
      case FRAME.TOOK:
        this.#aheadBytes -= frame.number;
        if (this.#aheadBytes < WINDOW_BYTES) this.#socket?.resume();
        return false;
      case FRAME.HEAD:
      case FRAME.DATA:
        return this.#deny(frame);
      case FRAME.ERROR:
        this.#fail({ status: 500, message: toText(frame.head), traceback: frame.body.toString('utf8') });
        return this.#socket === undefined;
      default:
        return false;
    }
  }

  onLost(message: string): void {
    this.#fail({ status: 502, message });
    this.#isClosed = true;
  }

  onRetire(): void {
    // The client comes back, to newer code.
    this.#socket?.close(1012, 'service restart');
  }

  watch(now: number): void {
    const { requestTimeoutMs } = this.#owner;
    if (this.#isSettled || now - this.askedAt < requestTimeoutMs) return;
    const { lane } = this;
    const message = `the application did not answer within ${requestTimeoutMs / 1000} s`;
    this.#fail({ status: lane === undefined ? 503 : 504, message });
    this.#isClosed = true;
    if (lane !== undefined) this.#owner.onTimeout(this, lane);
  }

  async #open(frame: IncomingFrame): Promise<void> {
    if (this.#isSettled || this.#isClosed) return;
    this.#isSettled = this.#isOpening = true;
    try {
      const { headers } = parseHead(frame.head);
      const socket = await this.#accept({ protocol: frame.body.toString('latin1'), headers });
      this.#socket = socket;
      socket.on('message', (data: Buffer, isBinary) => this.#onMessage(data, isBinary));
      socket.on('close', (code, reason) => this.#onGone(code, reason.toString('latin1')));
      // What is wrong with it is told by the close that follows.
      socket.on('error', () => {});
      this.#isOpening = false;
      for (const early of this.#early.splice(0)) this.onFrame(early);
    } catch {
      this.#onGone(1006, '');
    }
    this.#settle(undefined);
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    this.#aheadBytes += data.length + 64;
    if (this.#aheadBytes >= WINDOW_BYTES) this.#socket?.pause();
    this.lane?.send({
      kind: FRAME.WS_DATA,
      id: this.opening.id,
      flags: isBinary ? 0 : FLAG.TEXT,
      body: data,
    });
  }

  #send(frame: IncomingFrame): void {
    const { body, flags } = frame;
    const credit = (): void =>
      this.lane?.send({ kind: FRAME.CREDIT, id: this.opening.id, number: body.length });
    this.#socket?.send(body, { binary: (flags & FLAG.TEXT) === 0 }, credit);
  }

  #deny(frame: IncomingFrame): boolean {
    const isEnd = (frame.flags & FLAG.END) !== 0;
    if (frame.kind === FRAME.HEAD && !this.#isSettled) {
      this.#isSettled = true;
      this.#denial = new AnswerBody({ onTaken: () => {}, onDropped: () => {} });
      this.#settle({ ...parseHead(frame.head), body: this.#denial });
    }
    if (frame.body.length > 0) this.#denial?.add(frame.body);
    if (isEnd) {
      this.#denial?.finish();
      this.#isClosed = true;
    }
    return isEnd;
  }

  #fail(failure: ExchangeFailure): void {
    if (this.#isClosed) return;
    this.#owner.onFailure(this.#request, failure);
    if (this.#socket !== undefined) {
      this.#socket.close(1011, 'internal error');
      return;
    }
    this.#isClosed = true;
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#settle(this.#owner.answerFailure(this.#request, failure));
  }

  /** The connection is over, from whichever side. */
  #onGone(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.lane?.send({ kind: FRAME.WS_GONE, id: this.opening.id, number: code, head: reason });
    this.lane?.settle(this);
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#settle(undefined);
  }
}
