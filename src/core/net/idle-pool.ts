/** A connection that can wait for its next use. */
export interface Poolable {
  /** Nothing has been heard from it that would make it unfit. */
  readonly isFit: boolean;
  destroy(): void;
}

/** How long connections wait, and how many. */
export interface IdlePoolOptions {
  readonly maxIdle: number;
  readonly idleMs: number;
}

interface Waiting<Connection> {
  readonly connection: Connection;
  readonly sinceMs: number;
}

/** Connections between two uses: the one used last is taken first, so that those too many grow old and go. */
export class IdlePool<Connection extends Poolable> {
  readonly #options: IdlePoolOptions;
  readonly #idle: Waiting<Connection>[] = [];
  #sweeper: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: IdlePoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#idle.length;
  }

  /** A fit connection that has waited no longer than that. */
  take(maxAgeMs = this.#options.idleMs): Connection | undefined {
    for (let found = this.#idle.pop(); found !== undefined; found = this.#idle.pop()) {
      if (!found.connection.isFit) found.connection.destroy();
      else if (performance.now() - found.sinceMs <= maxAgeMs) return found.connection;
      else {
        // The others have waited longer still, but may do for somebody less choosy.
        this.#idle.push(found);
        return undefined;
      }
    }
    return undefined;
  }

  /** Keeps a connection for its next use, or ends it when there are enough. */
  give(connection: Connection): void {
    if (this.#isClosed || !connection.isFit || this.#idle.length >= this.#options.maxIdle) {
      connection.destroy();
      return;
    }
    this.#idle.push({ connection, sinceMs: performance.now() });
    if (this.#sweeper === undefined) {
      this.#sweeper = setInterval(() => this.#sweep(), Math.max(20, this.#options.idleMs / 4));
      this.#sweeper.unref();
    }
  }

  /** Forgets a connection that ended while it waited. */
  drop(connection: Connection): void {
    const index = this.#idle.findIndex((waiting) => waiting.connection === connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  /** Ends all of them; none is kept any more. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
  }

  #sweep(): void {
    const oldest = performance.now() - this.#options.idleMs;
    const fresh = this.#idle.findIndex(({ sinceMs }) => sinceMs > oldest);
    const old = this.#idle.splice(0, fresh === -1 ? this.#idle.length : fresh);
    for (const { connection } of old) connection.destroy();
    if (this.#idle.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
