import type { Duplex } from 'node:stream';
import type { ServiceNote } from '../../http/messages.js';
import { ExchangeTable } from './exchange-table.js';
import { encodeFrames, FLAG, FRAME, FrameReader, type IncomingFrame, type OutgoingFrame } from './frames.js';
import type { PythonWorker } from './worker.js';

/** The frame that opens an exchange. */
export type OpeningFrame = OutgoingFrame & { id: number };

/** One request or WebSocket on its way to a worker and back. */
export interface Exchange {
  /** The frame that opens it; its lane gives it its identifier. */
  readonly opening: OpeningFrame;
  /** Where it runs, once it was sent. */
  lane: Lane | undefined;
  /** When it was asked for, by `performance.now()`; later by the time in which this process stood still. */
  askedAt: number;
  /** When it was sent to the worker; 0 while it waits. */
  sentAt: number;
  /** Takes a frame of the worker; true when the worker has finished with it. */
  onFrame(frame: IncomingFrame): boolean;
  /** It was sent to the worker. */
  onStarted?(): void;
  /** The worker has finished with it. */
  onServed?(service: LaneService): void;
  /** The worker is gone, for this reason. */
  onLost(reason: string): void;
  /** The worker is to end soon. */
  onRetire?(): void;
  /** Looks after what takes long: a client that leaves, a time limit. */
  watch(now: number): void;
  /** Whether nobody waits for it any more. */
  readonly isOver: boolean;
}

/** Where the time of an exchange went. */
export type LaneService = Required<Pick<ServiceNote, 'queueMs' | 'workerMs'>> &
  Pick<ServiceNote, 'workerPid'>;

/** Whom a lane tells what happens on it. */
export interface LaneOwner {
  /** It may be given more. */
  onFree(lane: Lane): void;
  /** The worker has not begun with this and gives it back. */
  onReturned(exchange: Exchange): void;
  /** The worker has finished so many, which took it so many microseconds in all. */
  onServed(lane: Lane, count: number, tookUs: number): void;
}

/**
 * One stream to a worker. A WSGI lane is a thread: it answers what it was sent one after the other. A shared lane is
 * an event loop (ASGI): many exchanges at a time, and a new batch when the last was begun.
 */
export class Lane {
  readonly worker: PythonWorker;
  readonly index: number;
  readonly isShared: boolean;
  /** In the order they were sent. */
  open = new ExchangeTable();
  /** Its request hangs: nothing more is expected of it. */
  isStuck = false;
  /** When the last batch was sent, as long as it is not acknowledged (shared lanes). */
  unacknowledgedSince = 0;
  /** When it last showed a sign of life. */
  movedAt = 0;
  readonly #stream: Duplex;
  readonly #reader = new FrameReader();
  #owner: LaneOwner | undefined;
  #served = 0;
  #servedUs = 0;

  constructor(worker: PythonWorker, index: number, stream: Duplex, isShared: boolean) {
    this.worker = worker;
    this.index = index;
    this.isShared = isShared;
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('close', () => this.#onClose());
  }

  /** Whether a new batch may be sent. */
  get isFree(): boolean {
    if (this.isStuck || this.#stream.destroyed || this.#stream.writableEnded) return false;
    return this.isShared ? this.unacknowledgedSince === 0 : this.open.size === 0;
  }

  /** From now on this owner gives it work. */
  attach(owner: LaneOwner): void {
    this.#owner = owner;
  }

  /** Sends a batch, in one write. */
  start(batch: readonly Exchange[]): void {
    const now = performance.now();
    for (const exchange of batch) {
      exchange.lane = this;
      exchange.sentAt = now;
      this.open.add(exchange);
    }
    this.movedAt = now;
    if (this.isShared) this.unacknowledgedSince = now;
    this.#stream.write(encodeFrames(batch.map(({ opening }) => opening)));
    for (const exchange of batch) exchange.onStarted?.();
  }

  send(frame: OutgoingFrame): void {
    if (!this.#stream.writable) return;
    this.#stream.write(encodeFrames([frame]));
  }

  /** The client has gone, or waited too long: a shared lane lets go at once, a thread has to finish first. */
  abort(exchange: Exchange, flags = 0): void {
    this.send({ kind: FRAME.ABORT, id: exchange.opening.id, flags });
    if (this.isShared) this.#finish(exchange, 0);
  }

  /** The exchange is answered, though the worker has not said so itself. */
  settle(exchange: Exchange): void {
    this.#finish(exchange, 0);
    if (this.isFree) this.#owner?.onFree(this);
  }

  /** Where the time of an exchange went until now; `tookUs` is the worker's own figure, where it gives one. */
  serviceOf({ askedAt, sentAt }: Exchange, now: number, tookUs = 0): LaneService {
    const workerMs = tookUs > 0 ? tookUs / 1000 : now - sentAt;
    const queueMs = tookUs > 0 ? Math.max(0, now - askedAt - workerMs) : sentAt - askedAt;
    return { queueMs, workerMs, workerPid: this.worker.pid };
  }

  #onData(chunk: Buffer): void {
    this.movedAt = performance.now();
    this.#reader.feed(chunk, (frame) => this.#onFrame(frame));
    if (this.#served > 0) {
      const [count, tookUs] = [this.#served, this.#servedUs];
      this.#served = this.#servedUs = 0;
      this.#owner?.onServed(this, count, tookUs);
    }
    if (this.isFree) this.#owner?.onFree(this);
  }

  #onFrame(frame: IncomingFrame): void {
    if (frame.kind === FRAME.ACK) {
      this.unacknowledgedSince = 0;
      return;
    }
    const exchange = this.open.get(frame.id);
    if (exchange === undefined) return;
    if (frame.kind === FRAME.RETURN) {
      this.open.delete(frame.id);
      exchange.lane = undefined;
      exchange.sentAt = 0;
      this.#owner?.onReturned(exchange);
      return;
    }
    // A thread says how long it took, when that is all it has to say.
    const tookUs = frame.kind === FRAME.HEAD && frame.flags & FLAG.END ? frame.number : 0;
    this.#servedUs += tookUs;
    if (exchange.onFrame(frame)) this.#finish(exchange, tookUs);
  }

  #finish(exchange: Exchange, tookUs: number): void {
    if (!this.open.delete(exchange.opening.id)) return;
    this.#served++;
    exchange.onServed?.(this.serviceOf(exchange, this.movedAt, tookUs));
    if (this.open.size === 0) this.worker.onLaneIdle();
  }

  /** The worker's end is closed: it is gone, or about to be. */
  #onClose(): void {
    const lost = this.open.values();
    this.open = new ExchangeTable();
    const reason = this.worker.lossReason();
    lost.forEach((exchange, position) => {
      // A thread works in order: what stands behind the first was not begun, and can go to another.
      if (!this.isShared && position > 0 && !exchange.isOver) {
        exchange.lane = undefined;
        exchange.sentAt = 0;
        this.#owner?.onReturned(exchange);
      } else {
        void reason.then((words) => exchange.onLost(words));
      }
    });
    this.worker.onLaneIdle();
  }
}
