import type { Socket } from 'node:net';
import type { Timed } from './clock.js';

/**
 * Where small answers are put together, for whichever connection is at it: writing from here leaves no garbage. When
 * the system does not take all at once it keeps this buffer, and there is a new one.
 */
let out = Buffer.allocUnsafeSlow(16_384);
let used = 0;
let holder: Wire | undefined;

/** What an answer is taken from: let go of when the client leaves. */
export interface Source {
  destroy(): void;
  /** Ends it in order, though there would be more; only what goes on for ever can. */
  end?(): void;
}

/** The writing side of a connection: joins what is small, and says when the client does not read. */
export class Wire {
  readonly socket: Socket;
  /** Whether the socket is plain TCP that a descriptor can be written to. */
  readonly isPlain: boolean;
  /** While true, small answers wait for {@link flush}: those of a pipeline leave together. */
  batching = false;
  /** What is being sent, destroyed with the connection. */
  source: Source | undefined;
  readonly #owner: Timed;
  readonly #progress: () => number;
  #drained: (() => void) | undefined;

  constructor(socket: Socket, isPlain: boolean, owner: Timed, progress: () => number) {
    this.socket = socket;
    this.isPlain = isPlain;
    this.#owner = owner;
    this.#progress = progress;
    socket.on('drain', () => {
      const drained = this.#drained;
      if (drained === undefined) return;
      this.#drained = undefined;
      this.#owner.deadline = Number.POSITIVE_INFINITY;
      drained();
    });
  }

  /** Sends latin1 text, and bytes after it. */
  text(text: string, bytes?: Uint8Array): void {
    const size = text.length + (bytes?.length ?? 0);
    if (size > out.length - used) this.flush();
    // Another connection is in the middle of its batch when this one is written to from its handler.
    if (size > out.length || (holder !== undefined && holder !== this)) {
      this.both(text, bytes);
      return;
    }
    holder = this;
    used += out.write(text, used, 'latin1');
    if (bytes !== undefined) {
      out.set(bytes, used);
      used += bytes.length;
    }
    if (!this.batching) this.flush();
  }

  /** Sends bytes, which must not change afterwards. */
  bytes(bytes: Uint8Array): void {
    this.flush();
    this.socket.write(bytes);
  }

  /** Sends text and bytes in one system call. */
  both(text: string, bytes?: Uint8Array, after = ''): void {
    this.flush();
    this.socket.cork();
    if (text !== '') this.socket.write(text, 'latin1');
    if (bytes !== undefined) this.socket.write(bytes);
    if (after !== '') this.socket.write(after, 'latin1');
    this.socket.uncork();
  }

  /** Sends bytes and resolves when the system has taken them, so that they may be overwritten. */
  taken(bytes: Uint8Array): Promise<void> {
    this.flush();
    return this.progress((done) => this.socket.write(bytes, done));
  }

  /** Waits for something that the client's reading brings about; it may not take for ever. */
  progress(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    this.#owner.deadline = this.#progress();
    return new Promise((resolve, reject) => {
      start((error) => {
        this.#owner.deadline = Number.POSITIVE_INFINITY;
        if (error == null) resolve();
        else reject(error);
      });
    });
  }

  flush(): void {
    if (holder !== this) return;
    const batch = out.subarray(0, used);
    used = 0;
    holder = undefined;
    // What will have to wait is copied, as it would keep the whole buffer.
    if (!this.isPlain || this.socket.writableLength > 0) {
      this.socket.write(Buffer.from(batch));
      return;
    }
    this.socket.write(batch);
    if (this.socket.writableLength > 0) out = Buffer.allocUnsafeSlow(out.length);
  }

  /** Whether the client has to read before more is sent. */
  get blocked(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** Calls once when the client has read; it may not take for ever. */
  whenDrained(callback: () => void): void {
    this.#drained = callback;
    this.#owner.deadline = this.#progress();
  }

  /** The connection is gone. */
  closed(): void {
    this.#drained = undefined;
    this.source?.destroy();
    this.source = undefined;
  }
}
