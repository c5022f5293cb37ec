import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsDetails } from '../messages.js';
import type { CloseReason } from '../server-types.js';
import type { Timed } from './clock.js';
import { type ServerContext, ServerStopped } from './context.js';
import { Exchange } from './exchange.js';
import { toLatin1 } from './latin1.js';
import { MAX_AHEAD_BYTES, MAX_LINGER_BYTES, TURN_REQUESTS } from './limits.js';
import { type Head, parseHead } from './parse-head.js';
import { type Origin, type Peer, tlsDetails } from './request.js';
import { Refusal } from './status.js';
import { refuseHead } from './turn-away.js';
import { handOver } from './upgrade.js';
import { Wire } from './wire.js';

/** Waiting for a request or its head; an exchange is under way; the last answer is out; another protocol; over. */
type State = 'head' | 'exchange' | 'linger' | 'upgraded' | 'closed';

/** Texts longer than this are not kept for the sake of their fields. */
const MAX_KEPT_TEXT = 4096;
const NO_BYTES = Buffer.alloc(0);

/** The life of one HTTP/1 connection (RFC 9112, section 9): one exchange at a time, answers in order. */
export class Connection implements Origin, Timed {
  deadline: number;
  requests = 0;
  closeReason: CloseReason = 'client';
  readonly peer: Peer;
  readonly wire: Wire;
  readonly isEncrypted: boolean;
  readonly context: ServerContext;
  readonly #socket: Socket;
  #state: State = 'head';
  #exchange: Exchange | undefined;
  /** The fields of the last head: a client tends to send the same ones again. */
  #fields: Head['fields'] | undefined;
  /** What was read before its turn. */
  #ahead: Buffer | undefined;
  #isParsing = false;
  #isReading = true;
  #isHeadTimed = false;
  /** The client has closed its side. */
  hasPeerEnded = false;
  /** Ends the calls of {@link receive}, where they are not what the socket itself reads with. */
  detach: (() => void) | undefined;
  #lingered = 0;
  #arrived = 0;

  constructor(socket: Socket, context: ServerContext, peer: Peer) {
    this.#socket = socket;
    this.context = context;
    this.peer = peer;
    this.isEncrypted = 'encrypted' in socket;
    this.wire = new Wire(socket, !this.isEncrypted, this, () => context.clock.after(context.timers.sendMs));
    this.deadline = context.clock.after(context.timers.headMs);
    context.clock.watch(this);
    socket.on('end', () => this.#onEnd()).on('close', () => this.#onClose());
    socket.on('error', () => {}); // the end follows as 'close'
  }

  get tls(): TlsDetails | undefined {
    return this.isEncrypted ? tlsDetails(this.#socket as TLSSocket) : undefined;
  }

  /** Takes bytes from the socket, which are only lent; tells whether more are wanted. */
  receive(buffer: Buffer, size: number): boolean {
    switch (this.#state) {
      case 'head':
        if (this.context.wantsRequests) this.#arrived = performance.now();
        this.#parse(buffer, size);
        break;
      case 'exchange':
        this.#feed(buffer.subarray(0, size));
        break;
      case 'linger':
        this.#lingered += size;
        if (this.#lingered > MAX_LINGER_BYTES) this.#socket.destroy();
        break;
      case 'upgraded':
        return this.#socket.push(Buffer.from(buffer.subarray(0, size)));
      case 'closed':
        return false;
    }
    return this.#isReading;
  }

  drain(isLate: boolean): void {
    this.#exchange?.drain(isLate);
    if (this.#state !== 'head' || this.#ahead !== undefined) return;
    this.closeReason = 'server';
    this.#linger();
  }

  destroy(reason: CloseReason): void {
    this.closeReason = reason;
    // HTTP/1.0 knows the end of an answer by the FIN: half of one must not look whole.
    if (this.#exchange?.request.httpVersion === '1.0') this.wire.reset();
    else this.#socket.destroy();
  }

  /** Why the connection is gone, unless that is the client's doing. */
  get cut(): Error | undefined {
    return this.closeReason === 'server' ? new ServerStopped() : undefined;
  }

  onDeadline(): void {
    if (this.#state === 'exchange') {
      if (this.#exchange?.onDeadline() === true) this.destroy('timeout');
    } else if (this.#state === 'head' && this.#ahead !== undefined) {
      this.#refuse(new Refusal(408, 'the request head took too long'));
    } else {
      if (this.#state === 'head') this.closeReason = 'timeout';
      this.#socket.destroy();
    }
  }

  /** Bytes of the body are wanted, or not. */
  bodyFlow(): void {
    if (this.#state !== 'exchange' || this.#isParsing) return;
    // Not at once: whoever asks is in the middle of reading.
    if (this.#ahead !== undefined) queueMicrotask(() => this.#feed());
    else this.#read(true);
  }

  /** The exchange is over; `stays` says whether another may follow. */
  exchangeOver(stays: boolean): void {
    if (this.#state !== 'exchange') return;
    this.#exchange = undefined;
    this.#state = 'head';
    if (!stays) this.#linger();
    else if (!this.#isParsing) this.#next();
  }

  /** The handler takes the connection over. */
  upgrade(): void {
    this.#state = 'upgraded';
    this.closeReason = 'upgrade';
    this.deadline = Number.POSITIVE_INFINITY;
  }

  /** Answers what can be answered of the bytes at hand; their answers leave together. */
  #parse(lent: Buffer, lentSize: number): void {
    const isFirst = this.#ahead === undefined;
    const bytes = isFirst ? lent : this.#takeAhead(lent.subarray(0, lentSize));
    const size = isFirst ? lentSize : bytes.length;
    const text = toLatin1(bytes, 0, size);
    let at = 0;
    let turns = 0;
    this.#isParsing = true;
    this.wire.batching = true;
    for (; this.#state === 'head' && at < text.length && turns < TURN_REQUESTS; turns += 1) {
      if (this.wire.blocked) break;
      const head = parseHead(text, at, this.context.limits, this.#fields);
      if (head === undefined) break;
      if (head instanceof Refusal) {
        this.#refuse(head);
        break;
      }
      at = head.end;
      // Its strings keep the text they were cut from.
      this.#fields = size <= MAX_KEPT_TEXT ? head.fields : undefined;
      this.#isHeadTimed = false;
      this.requests += 1;
      this.#exchange = new Exchange(head, this, head.keepAlive && !this.hasPeerEnded, this.#arrived);
      this.#state = 'exchange';
      this.#exchange.run();
      if (head.length !== 0 && at < size) at += this.#exchange?.feed(bytes.subarray(at, size)) ?? 0;
    }
    this.#isParsing = false;
    this.wire.batching = false;
    this.wire.flush();
    this.#parsed(at < size ? bytes.subarray(at, size) : NO_BYTES, turns === TURN_REQUESTS);
  }

  /** Goes on after a round of parsing, in whatever state it has left. */
  #parsed(rest: Buffer, isTurnOver: boolean): void {
    if (this.#state === 'upgraded') this.#handOver(Buffer.from(rest));
    if (this.#state !== 'head' && this.#state !== 'exchange') return;
    if (rest.length > 0) this.#ahead = Buffer.from(rest);
    if (this.#state === 'exchange') {
      if (this.#exchange?.wantsBytes === true) this.bodyFlow();
    } else if (isTurnOver || this.wire.blocked) {
      this.#read(false);
      setImmediate(() => this.#next());
    } else if (this.#ahead === undefined) {
      this.#idle();
    } else if (!this.#isHeadTimed) {
      // The first bytes of a head: from now on it may take so long and no longer, however they drip.
      this.#isHeadTimed = true;
      this.deadline = this.context.clock.after(this.context.timers.headMs);
    } else if (this.hasPeerEnded) {
      this.#onEnd();
    }
  }

  /** The next request may come, or has come already. */
  #next(): void {
    if (this.#state !== 'head' || this.#isParsing) return;
    if (this.wire.blocked) {
      // A client that does not read its answers gets no more of them.
      this.#read(false);
      this.wire.whenDrained(() => this.#next());
      return;
    }
    this.#read(true);
    if (this.#ahead !== undefined) this.#parse(NO_BYTES, 0);
    else this.#idle();
    if (this.hasPeerEnded && this.#state === 'head') this.#onEnd();
  }

  #idle(): void {
    const { clock, timers, isStopping } = this.context;
    if (isStopping) this.#linger();
    else this.deadline = clock.after(timers.keepAliveMs);
  }

  /** Bytes that come while an exchange is under way: of its body, or ahead of their turn. */
  #feed(lent?: Buffer): void {
    if (this.#state !== 'exchange' || (lent === undefined && this.#ahead === undefined)) return;
    const bytes = this.#takeAhead(lent);
    // The exchange may end with these bytes; what is left over must not be parsed before it is put aside.
    this.#isParsing = true;
    const used = this.#exchange?.feed(bytes) ?? 0;
    this.#isParsing = false;
    if (used < bytes.length) this.#ahead = Buffer.from(bytes.subarray(used));
    const exchange = this.#exchange;
    if (exchange === undefined) this.#next();
    else if (exchange.isBodyComplete) this.#read((this.#ahead?.length ?? 0) < MAX_AHEAD_BYTES);
    else this.#read(exchange.wantsBytes);
    if (exchange?.wantsBytes === true && this.#ahead !== undefined) this.bodyFlow();
    if (this.hasPeerEnded && exchange !== undefined) this.#onEnd();
  }

  #takeAhead(lent?: Buffer): Buffer {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead === undefined) return lent ?? NO_BYTES;
    return lent === undefined ? ahead : Buffer.concat([ahead, lent]);
  }

  /** Reading on or off: what nobody takes is left in the client's own buffers. */
  #read(on: boolean): void {
    if (on === this.#isReading || this.#state === 'closed') return;
    this.#isReading = on;
    this.#socket[on ? 'resume' : 'pause']();
  }

  /** Answers a head that no handler sees. */
  #refuse(refusal: Refusal): void {
    this.closeReason = refusal.status === 408 ? 'timeout' : 'refused';
    refuseHead(this, refusal);
    this.#linger();
  }

  /** Ends our side and reads on for a while: closing at once could cost the client the answer (RFC 9112, 9.6). */
  #linger(): void {
    if (this.#state === 'linger' || this.#state === 'closed') return;
    this.#state = 'linger';
    this.#ahead = undefined;
    this.#fields = undefined;
    this.wire.flush();
    const { clock, timers } = this.context;
    this.deadline = clock.after(this.#socket.writableLength > 0 ? timers.sendMs : timers.lingerMs);
    this.#socket.end();
    this.#read(true);
  }

  #onEnd(): void {
    this.hasPeerEnded = true;
    // What was read of the body and waits for its turn is fed first.
    const isAll = this.#ahead === undefined || this.#exchange?.isBodyComplete === true;
    if (this.#state === 'exchange' && isAll) this.#exchange?.endOfInput();
    else if (this.#state === 'head' && this.#ahead === undefined) this.#linger();
    else if (this.#state === 'head' && !this.wire.blocked) {
      this.#refuse(new Refusal(400, 'the request head is cut short'));
    }
  }

  #onClose(): void {
    const wasUpgraded = this.#state === 'upgraded';
    this.#state = 'closed';
    this.#ahead = undefined;
    this.context.clock.unwatch(this);
    if (!wasUpgraded) this.#exchange?.abort();
    this.wire.closed();
    this.context.closed(this);
  }

  #handOver(head: Buffer): void {
    if (this.#exchange === undefined) return;
    this.detach?.();
    handOver(this.#exchange, this.#socket, head, () => {
      if (this.#state !== 'upgraded') return false;
      this.#state = 'exchange';
      this.closeReason = 'client';
      return true;
    });
  }
}
