import { Readable } from 'node:stream';
import type { HeaderList } from '../messages.js';
import type { BodyDecoder } from './decode-body.js';
import { Refusal } from './status.js';

/** Whom a body tells what is done with it. */
export interface BodyOwner {
  /** The handler asks for (more) content. */
  bodyWanted(): void;
  /** The handler will not read on. */
  bodyDropped(): void;
}

/** The content of a request: takes bytes from its connection only while the handler asks for them. */
export class BodyReader extends Readable {
  /** Nothing more belongs to this body: it has ended, or cannot be read to its end. */
  isComplete = false;
  /** Somebody waits for content. */
  isWanted = false;
  /** Content is thrown away: nobody will read it. */
  isDropped = false;
  refusal: Refusal | undefined;
  trailers: HeaderList = [];
  bytesIn = 0;
  bytesDropped = 0;
  readonly #decoder: BodyDecoder;
  readonly #owner: BodyOwner;
  #waitedMs = 0;

  constructor(decoder: BodyDecoder, owner: BodyOwner) {
    super({ highWaterMark: 65_536 });
    this.#decoder = decoder;
    this.#owner = owner;
    // A handler that does not listen must not bring the process down.
    this.on('error', () => {});
  }

  /** Bytes to come; Infinity while the chunks have not said. */
  get remaining(): number {
    return this.#decoder.remaining;
  }

  /** Whether bytes are of use now. */
  get isHungry(): boolean {
    return !this.isComplete && (this.isWanted || this.isDropped);
  }

  /** Takes what is its own from bytes that are only lent; tells how many those were. */
  feed(bytes: Buffer): number {
    let used = bytes.length;
    try {
      used = this.#decoder.feed(bytes, (content) => this.#take(content));
    } catch (error) {
      this.fail(error instanceof Refusal ? error : new Refusal(400, String(error)));
    }
    if (this.#decoder.done) this.finish(this.#decoder.trailers);
    return used;
  }

  /** All of it has come. */
  finish(trailers: HeaderList): void {
    if (this.isComplete) return;
    this.isComplete = true;
    this.trailers = trailers;
    if (!this.destroyed) this.push(null);
  }

  /** The content cannot be read to its end: whoever reads it is told why. */
  fail(refusal: Refusal): void {
    this.refusal = refusal;
    this.isComplete = true;
    this.destroy(refusal);
  }

  /** The client took so long for what has come: a drip holds a handler as well as silence does. */
  addWait(waitedMs: number, graceMs: number, minBytesPerSecond: number): void {
    this.#waitedMs += waitedMs;
    if (this.#waitedMs <= graceMs || this.isComplete) return;
    if ((this.bytesIn * 1000) / this.#waitedMs < minBytesPerSecond) {
      this.fail(new Refusal(408, 'the request body comes too slowly'));
    }
  }

  override _read(): void {
    if (this.isWanted || this.isComplete) return;
    this.isWanted = true;
    this.#owner.bodyWanted();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.isDropped = true;
    if (!this.isComplete) this.#owner.bodyDropped();
    callback(error);
  }

  #take(content: Buffer): void {
    this.bytesIn += content.length;
    if (this.isDropped || this.destroyed) this.bytesDropped += content.length;
    // Copied: the bytes belong to the socket.
    else if (!this.push(Buffer.from(content))) this.isWanted = false;
  }
}

/** The content of a request that has none. */
export function emptyBody(): Readable {
  return new Readable({
    read() {
      this.push(null);
    },
  });
}
