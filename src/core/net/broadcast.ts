import type { Connection } from './connection.js';
import { createSpool, type Spool } from './spool.js';

/** What one receiver may have waiting in memory; what is more waits on disk. */
const QUEUE_BYTES = 2 ** 20;

/** What one receiver may have waiting on disk. */
const SPOOL_BYTES = 2 ** 30;

/** How long a receiver whose spool is full may stand still when no idle time is given. */
const STALL_MS = 10_000;

/** How a {@link Broadcast} treats receivers. */
export interface BroadcastOptions {
  /** Waits for a receiver when there is none; else what is sent then is lost on nobody. */
  readonly needsReceiver: boolean;
  readonly stallMs?: number | undefined;
}

/**
 * Sends the same bytes to many connections. Each has a queue of its own, so that none waits for another; the sender
 * is held up only while nobody keeps up, or while a spool is full that still moves. One that is full and stands still
 * is dropped. Nothing is left out for anybody.
 */
export class Broadcast {
  private readonly receivers = new Set<Receiver>();
  private readonly options: BroadcastOptions;
  private wakeups: Array<() => void> = [];

  constructor(options: BroadcastOptions) {
    this.options = options;
  }

  /** A connection that gets what is sent from now on. */
  add(connection: Connection): Receiver {
    const receiver = new Receiver(connection, this.options.stallMs ?? STALL_MS, () => this.wake());
    this.receivers.add(receiver);
    this.wake();
    return receiver;
  }

  /** Forgets a receiver and what waits for it. */
  remove(receiver: Receiver): void {
    this.receivers.delete(receiver);
    receiver.close();
    this.wake();
  }

  /** To everybody but one; returns a promise while the sender should wait. */
  send(bytes: Buffer, except?: Receiver): Promise<void> | undefined {
    if (this.hasRoom(except)) {
      this.push(bytes, except);
      return this.hasRoom(except) ? undefined : this.room(except);
    }
    return this.room(except).then(() => this.push(bytes, except));
  }

  /** Everybody has got everything and then FIN. */
  finish(): void {
    for (const receiver of this.receivers) receiver.finish();
  }

  private push(bytes: Buffer, except: Receiver | undefined): void {
    // The queues keep it, the caller's memory is only lent.
    const copy = Buffer.from(bytes);
    for (const receiver of this.receivers) if (receiver !== except) receiver.push(copy);
  }

  private hasRoom(except: Receiver | undefined): boolean {
    let count = 0;
    let keepingUp = 0;
    for (const receiver of this.receivers) {
      if (receiver === except) continue;
      if (receiver.spooledBytes >= SPOOL_BYTES) return false;
      count += 1;
      if (!receiver.isLagging) keepingUp += 1;
    }
    return count === 0 ? !this.options.needsReceiver : keepingUp > 0;
  }

  private async room(except: Receiver | undefined): Promise<void> {
    while (!this.hasRoom(except)) {
      await new Promise<void>((resolve) => {
        this.wakeups.push(resolve);
      });
    }
  }

  private wake(): void {
    for (const wakeup of this.wakeups.splice(0)) wakeup();
  }
}

/** One connection of a {@link Broadcast} and what waits for it. */
export class Receiver {
  /** Resolves when everything, and FIN after it, was handed over, or the connection is gone. */
  readonly finished: Promise<void>;

  private readonly connection: Connection;
  private readonly onProgress: () => void;
  private readonly stallMs: number;
  private readonly queue: Buffer[] = [];
  private queuedBytes = 0;
  private spool: Spool | undefined;
  private busy = false;
  private ending = false;
  private stallTimer: NodeJS.Timeout | undefined;
  private resolveFinished: () => void = () => {};

  constructor(connection: Connection, stallMs: number, onProgress: () => void) {
    this.connection = connection;
    this.stallMs = stallMs;
    this.onProgress = onProgress;
    this.finished = new Promise((resolve) => {
      this.resolveFinished = resolve;
    });
    connection.closed.then(() => this.resolveFinished());
  }

  get spooledBytes(): number {
    return this.spool?.sizeBytes ?? 0;
  }

  /** It takes less than it is given. */
  get isLagging(): boolean {
    return this.queuedBytes >= QUEUE_BYTES || this.spooledBytes > 0;
  }

  push(bytes: Buffer): void {
    if (this.ending || this.connection.socket.destroyed) return;
    if (this.isLagging) this.keepOnDisk(bytes);
    else {
      this.queue.push(bytes);
      this.queuedBytes += bytes.length;
    }
    this.drain();
  }

  /** FIN after what waits. */
  finish(): void {
    this.ending = true;
    this.drain();
  }

  close(): void {
    clearTimeout(this.stallTimer);
    this.spool?.close();
    this.spool = undefined;
    this.queue.length = 0;
    this.queuedBytes = 0;
    this.ending = true;
    this.resolveFinished();
  }

  private keepOnDisk(bytes: Buffer): void {
    try {
      this.spool ??= createSpool();
      this.spool.push(bytes);
    } catch {
      // No room on disk for somebody who does not read.
      this.connection.destroy('limit');
      return;
    }
    if (this.spooledBytes >= SPOOL_BYTES) this.watchStall();
  }

  private watchStall(): void {
    this.stallTimer ??= setTimeout(() => this.connection.destroy('limit'), this.stallMs);
  }

  private drain(): void {
    while (!this.busy) {
      const next = this.queue.shift() ?? this.spool?.shift();
      if (next === undefined) break;
      const wait = this.connection.send(next);
      if (wait === undefined) this.sent(next);
      else {
        this.busy = true;
        wait.then(
          () => {
            this.busy = false;
            this.sent(next);
            this.drain();
          },
          () => this.close(),
        );
      }
    }
    if (this.ending && !this.busy && this.queue.length === 0 && this.spooledBytes === 0) {
      this.connection.end();
      this.resolveFinished();
    }
  }

  private sent(bytes: Buffer): void {
    // What came from the spool was never counted as queued.
    this.queuedBytes = Math.max(0, this.queuedBytes - bytes.length);
    if (this.queue.length === 0 && this.spooledBytes === 0) this.queuedBytes = 0;
    if (this.stallTimer !== undefined && this.spooledBytes < SPOOL_BYTES) {
      clearTimeout(this.stallTimer);
      this.stallTimer = undefined;
    }
    this.onProgress();
  }
}
