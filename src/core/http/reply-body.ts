import { Readable } from 'node:stream';
import { countPassingBytes } from '../platform/heap.js';

/** Takes bytes, which are only lent until it returns or its promise resolves. */
export type ByteSink = (bytes: Buffer) => Promise<void> | undefined;

/** What a body asks of the connection it comes from. */
export interface BodyOrigin {
  /** More is wanted. */
  resumeBody(): void;
  /** Nobody wants the rest. */
  abandonBody(): void;
}

/**
 * The body of a reply. A stream like any other, or, with {@link drain}, handed out in the very memory it was read
 * into, which is twice as fast. What has arrived is handed out before a failure is told.
 */
export class ReplyBody extends Readable {
  readonly #origin: BodyOrigin;
  readonly #isLent: boolean;
  #sink: ByteSink | undefined;
  #pending: Promise<void> | undefined;
  #drained = Promise.withResolvers<void>();
  #failure: Error | undefined;
  #isComplete = false;

  /** @param isLent the bytes given to {@link accept} change after it returns */
  constructor(origin: BodyOrigin, isLent: boolean) {
    super({ highWaterMark: 256 * 1024 });
    this.#origin = origin;
    this.#isLent = isLent;
    // Whoever reads the body sees the error there; until somebody does it must not end the process.
    this.on('error', () => {});
    this.#drained.promise.catch(() => {});
  }

  /** Whether the reader is behind: nothing counts as standing still then. */
  get isHeldUp(): boolean {
    return this.#sink === undefined
      ? this.readableLength >= this.readableHighWaterMark
      : this.#pending !== undefined;
  }

  /** Everything, into a sink, at the sink's pace; instead of reading the stream. */
  async drain(sink: ByteSink): Promise<void> {
    for (let chunk = this.read() as Buffer | null; chunk !== null; chunk = this.read() as Buffer | null) {
      await sink(chunk);
    }
    if (this.errored !== null) throw this.errored;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isComplete) return;
    this.#sink = sink;
    this.#origin.resumeBody();
    await this.#drained.promise;
  }

  /** The next bytes; `false` asks to wait until more are wanted. */
  accept(bytes: Buffer): boolean {
    if (this.destroyed) return true;
    if (!this.#isLent) countPassingBytes(bytes.length);
    if (this.#sink === undefined) return this.push(this.#isLent ? Buffer.from(bytes) : bytes);
    return this.#lend(bytes, this.#sink);
  }

  /** The body has ended as it should. */
  complete(): void {
    this.#isComplete = true;
    this.#settle(() => this.#drained.resolve());
    this.push(null);
  }

  /** The body breaks off here. */
  fail(error: Error): void {
    this.#failure ??= error;
    if (this.#sink === undefined) this.#failWhenRead();
    else this.#settle(() => this.#drained.reject(error));
  }

  override _read(): void {
    if (this.#failure !== undefined) this.#failWhenRead();
    else if (this.#sink === undefined) this.#origin.resumeBody();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#isComplete) this.#drained.reject(error ?? new Error('the body was given up'));
    this.#origin.abandonBody();
    callback(error);
  }

  #lend(bytes: Buffer, sink: ByteSink): boolean {
    const give = (): Promise<void> | undefined => sink(bytes);
    try {
      const wait = this.#pending === undefined ? give() : this.#pending.then(give);
      if (wait === undefined) return true;
      this.#pending = wait;
      wait.then(
        () => {
          if (this.#pending !== wait) return;
          this.#pending = undefined;
          if (!this.#isComplete && this.#failure === undefined) this.#origin.resumeBody();
        },
        (error) => this.#reject(error),
      );
    } catch (error) {
      this.#reject(error);
    }
    return false;
  }

  #reject(error: unknown): void {
    this.#drained.reject(error);
    this.destroy();
  }

  /** After what the sink still has in hand. */
  #settle(done: () => void): void {
    if (this.#pending === undefined) done();
    else this.#pending.then(done, () => {});
  }

  #failWhenRead(): void {
    if (this.readableLength === 0) this.destroy(this.#failure);
    // An empty chunk answers this call of `read`, so that there is another when more has been taken.
    else this.push('');
  }
}
