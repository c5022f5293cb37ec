import { Readable } from 'node:stream';
import type { HeaderList } from '../messages.js';

/** What a body asks of the connection it comes from. */
export interface BodySource {
  /** More is wanted. */
  resumeBody(): void;
  /** Nobody wants the rest. */
  abandon(): void;
}

const HIGH_WATER_MARK = 256 * 1024;

/** From another process less than this comes at a time; an application in ours may give all at once. */
const PIECE_BYTES = 256 * 1024;

/** The content of a reply that was not complete at once; the connection is read no faster than this is. */
export class ReplyBody extends Readable {
  /** What followed the content, once it has ended. */
  trailers: HeaderList = [];
  readonly #source: BodySource;
  #isFinished = false;

  constructor(source: BodySource) {
    super({ highWaterMark: HIGH_WATER_MARK });
    this.#source = source;
    // Whoever reads is told; who has gone away has not to care.
    this.on('error', () => {});
  }

  /** Hands on what has come, in pieces a reader can stop between; tells whether more is wanted. */
  deliver(bytes: Buffer): boolean {
    let isWanted = true;
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
      isWanted = this.push(bytes.subarray(at, at + PIECE_BYTES));
    }
    return isWanted;
  }

  /** All of it has come: its connection belongs to another exchange from now on. */
  finish(trailers: HeaderList): void {
    this.trailers = trailers;
    this.#isFinished = true;
    this.push(null);
  }

  override _read(): void {
    if (!this.#isFinished) this.#source.resumeBody();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#isFinished) this.#source.abandon();
    callback(error);
  }
}
