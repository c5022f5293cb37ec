import type { HeaderList, HttpResponse } from '../messages.js';
import { planAnswer, serializeFields } from './answer-head.js';
import { BodyReader } from './body-reader.js';
import type { Connection } from './connection.js';
import { plainAnswer, ServerStopped } from './context.js';
import { createDecoder } from './decode-body.js';
import { bodyLimit, FIRST_PROBE_MS, MAX_PROBE_MS } from './limits.js';
import { CHUNKED, type Head } from './parse-head.js';
import { type RequestOwner, ServerRequest } from './request.js';
import { discardBody, type Sender, sendContent } from './send-content.js';
import { Refusal } from './status.js';
import { wantsUpgrade } from './upgrade.js';

/** Waiting for the handler; sending its answer; reading a body nobody wanted; done. */
type Phase = 'handling' | 'sending' | 'draining' | 'over';

/** One request and its answer (RFC 9112, section 9.3): what the handler says, and what becomes of the body. */
export class Exchange implements RequestOwner, Sender {
  readonly origin: Connection;
  readonly request: ServerRequest;
  content: BodyReader | undefined;
  /** In milliseconds, when somebody wants to know: first byte read, handler called, answered. */
  readonly times: [arrived: number, called: number, answered: number] | undefined;
  #phase: Phase = 'handling';
  #keepAlive: boolean;
  #mustContinue = false;
  #waitingSince = 0;
  #status = 0;
  #probeMs = FIRST_PROBE_MS;
  #cause: unknown;
  #told: Error | undefined;

  constructor(head: Head, host: Connection, keepAlive: boolean, arrived: number) {
    this.origin = host;
    this.#keepAlive = keepAlive;
    this.request = new ServerRequest(head, this);
    this.times = host.context.wantsRequests ? [arrived, performance.now(), 0] : undefined;
  }

  /** Hands the request to the handler, unless it is refused first. */
  run(): void {
    const { context } = this.origin;
    const { head } = this.request;
    if ((head.target.charCodeAt(0) !== 0x2f || head.target.includes('%')) && !this.request.hasPath) {
      this.refuse(new Refusal(400, 'the request target is malformed'));
      return;
    }
    if (head.length !== 0 && !this.#prepareBody(head)) return;
    if (head.fields.upgrade !== undefined && context.handler.upgrade !== undefined && wantsUpgrade(head)) {
      // Whatever becomes of it, this connection's next bytes are no request.
      this.#keepAlive = false;
      this.origin.upgrade();
      return;
    }
    try {
      const answer = context.handler.handle(this.request);
      if (!(answer instanceof Promise)) {
        this.answer(answer);
        return;
      }
      if (this.content === undefined) this.#awaitHandler();
      answer.then(
        (response) => this.answer(response),
        (error) => this.fail(error),
      );
    } catch (error) {
      this.fail(error);
    }
  }

  /** Gives bytes to the body, as far as they are its own and wanted; tells how many. */
  feed(bytes: Buffer): number {
    const { content } = this;
    if (content === undefined || !content.isHungry) return 0;
    const { clock, timers, limits } = this.origin.context;
    content.addWait(clock.now - this.#waitingSince, timers.bodyMs, timers.minBodyBytesPerSecond);
    const used = content.feed(bytes);
    if (content.isComplete) this.#bodyEnded();
    else if (this.#phase === 'draining' && content.bytesDropped > limits.maxDrainBytes) this.#over(false);
    else this.#awaitBody();
    return used;
  }

  get wantsBytes(): boolean {
    return this.content?.isHungry === true;
  }

  get isBodyComplete(): boolean {
    return this.content === undefined || this.content.isComplete;
  }

  bodyWanted(): void {
    if (this.#mustContinue && this.#phase === 'handling') {
      this.origin.wire.text('HTTP/1.1 100 Continue\r\n\r\n');
      this.#mustContinue = false;
    }
    this.#awaitBody();
    this.origin.bodyFlow();
  }

  bodyDropped(): void {
    // Destroyed inside a callback of the body: what follows must not run within it.
    if (this.#phase === 'draining') queueMicrotask(() => this.#drain());
  }

  /** The client has closed its side: fine, unless there was to be more. */
  endOfInput(): void {
    if (this.#phase === 'sending') this.origin.wire.source?.watchClient?.();
    if (this.isBodyComplete) {
      if (this.#phase === 'handling') this.#awaitHandler();
      return;
    }
    this.content?.fail(new Refusal(400, 'the request body is cut short'));
    this.#bodyEnded();
  }

  /** The client is too slow; tells whether the connection should go at once. */
  onDeadline(): boolean {
    if (this.#phase === 'draining') this.#over(false);
    else if (this.#phase === 'handling' && this.isBodyComplete) this.#probe();
    else if (this.#phase === 'handling' && this.content?.isHungry === true) {
      this.content.fail(new Refusal(408, 'the request body stood still'));
      this.#bodyEnded();
    } else return this.#phase === 'sending';
    return false;
  }

  /** The server stops: what would never end ends now; late, who only waits for more to send is told to give up. */
  drain(isLate: boolean): void {
    const { source } = this.origin.wire;
    if (source?.end !== undefined) source.end();
    else if (!isLate || source?.isQuiet?.() !== true) return;
    this.#told ??= new ServerStopped();
    this.request.abort(this.#told);
  }

  /** The connection is gone. */
  abort(): void {
    const phase = this.#phase;
    const { context, cut } = this.origin;
    this.#phase = 'over';
    this.request.abort(cut);
    const status = cut === undefined ? 499 : 503;
    if (phase === 'handling') context.reportRequest(this, { status, bytes: 0, aborted: true, error: cut });
  }

  earlyHints(headers: HeaderList): void {
    if (this.#phase !== 'handling' || this.request.httpVersion === '1.0') return;
    this.origin.wire.text(`HTTP/1.1 103 Early Hints\r\n${serializeFields(headers).text}\r\n`);
    this.origin.wire.flush();
  }

  answer(response: HttpResponse): void {
    if (this.#phase !== 'handling') {
      discardBody(response?.body);
      return;
    }
    try {
      this.#send(response, undefined);
    } catch (error) {
      discardBody(response?.body);
      this.fail(error);
    }
  }

  /** The handler failed: 500, or the status its request body was refused with. */
  fail(error: unknown): void {
    if (this.#phase !== 'handling') return;
    const refusal = this.content?.refusal;
    if (refusal !== undefined) this.refuse(refusal);
    else this.#send(this.origin.context.failedAnswer(this.request), error);
  }

  /** Answers in the handler's place, and closes: what follows on this connection cannot be trusted. */
  refuse(refusal: Refusal): void {
    this.#keepAlive = false;
    this.#send(plainAnswer(refusal.status), refusal);
  }

  #send(response: HttpResponse, cause: unknown): void {
    const { context, wire } = this.origin;
    const plan = planAnswer(this.request, response, this.#mayStay(), context.clock);
    this.#keepAlive = plan.keepAlive;
    if (this.times !== undefined) this.times[2] = performance.now();
    this.#phase = 'sending';
    this.#status = response.status;
    this.#cause = cause;
    sendContent(wire, plan, response, this);
    if (this.origin.hasPeerEnded) wire.source?.watchClient?.();
  }

  /** Whether the client can be told that the connection stays: not when it may still send what nobody will read. */
  #mayStay(): boolean {
    const { content } = this;
    const { isStopping, limits } = this.origin.context;
    if (!this.#keepAlive || isStopping || content?.refusal !== undefined) return false;
    if (content === undefined || content.isComplete || content.isWanted) return true;
    if (this.#mustContinue) return false;
    return this.request.head.length === CHUNKED || content.remaining <= limits.maxDrainBytes;
  }

  sent(bytes: number, error?: unknown): void {
    const { origin } = this;
    origin.wire.source = undefined;
    if (bytes < 0 && this.#phase === 'sending') {
      // Nothing was said yet.
      this.#phase = 'handling';
      this.fail(error);
      return;
    }
    // What a client that left has made fail is no failure.
    const isGone = this.#phase === 'over' || origin.wire.socket.destroyed;
    origin.context.reportRequest(this, {
      status: this.#status,
      bytes,
      aborted: error !== undefined,
      error: this.#cause ?? (error && (this.#told ?? (isGone ? origin.cut : error))),
    });
    if (isGone) return;
    if (error !== undefined) {
      origin.destroy('server');
      return;
    }
    this.#phase = 'draining';
    this.#drain();
  }

  /** Reads what is left of the body, if that is not too much. */
  #drain(): void {
    const { content } = this;
    if (this.#phase !== 'draining') return;
    if (content === undefined || content.isComplete) {
      this.#over(this.#keepAlive);
      return;
    }
    const { limits } = this.origin.context;
    const isLong = content.remaining > limits.maxDrainBytes && this.request.head.length !== CHUNKED;
    if (isLong || this.#mustContinue || !this.#keepAlive) {
      this.#over(false);
      return;
    }
    content.isDropped = true;
    content.bytesDropped = 0;
    this.#awaitBody();
    this.origin.bodyFlow();
  }

  #over(stays: boolean): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    const { content } = this;
    if (content !== undefined && !content.isComplete) {
      content.isComplete = true;
      content.destroy();
    }
    this.origin.exchangeOver(stays && !this.origin.context.isStopping);
  }

  #prepareBody(head: Head): boolean {
    const { limits } = this.origin.context;
    const maxBodyBytes = bodyLimit(limits, this.request);
    if (head.length > maxBodyBytes) {
      this.refuse(new Refusal(413, 'the body is too large'));
      return false;
    }
    this.content = new BodyReader(createDecoder(head.length, { ...limits, maxBodyBytes }), this);
    this.#mustContinue = head.fields.expect !== undefined && head.version === '1.1';
    this.origin.deadline = Number.POSITIVE_INFINITY;
    return true;
  }

  /** A handler may take its time, as long as there is a client. */
  #awaitHandler(): void {
    const { hasPeerEnded, context } = this.origin;
    const mayProbe = hasPeerEnded && this.request.httpVersion === '1.1';
    this.origin.deadline = mayProbe ? context.clock.after(this.#probeMs) : Number.POSITIVE_INFINITY;
  }

  /**
   * Has a client that closed its side left, or does it only wait? Both look the same until something is sent: an
   * interim answer (RFC 9110, section 15.2), which one that waits skips and one that left answers with a reset.
   */
  #probe(): void {
    this.origin.wire.text('HTTP/1.1 102 Processing\r\n\r\n');
    this.#probeMs = Math.min(this.#probeMs * 3, MAX_PROBE_MS);
    this.#awaitHandler();
  }

  #awaitBody(): void {
    const { clock, timers } = this.origin.context;
    this.#waitingSince = clock.now;
    this.origin.deadline = clock.after(timers.bodyMs);
  }

  #bodyEnded(): void {
    if (this.#phase === 'handling') this.#awaitHandler();
    if (this.content?.refusal !== undefined) this.#keepAlive = false;
    if (this.#phase === 'draining') this.#over(this.#keepAlive);
  }
}
