import type { Connection } from '../net/connect.js';
import type { Http2Session } from './http2-session.js';

/**
 * The connections of several requests, by everything that makes them what they are: those of HTTP/1.1 wait here for
 * their next request, one of HTTP/2 is for all of them.
 */
export class ConnectionPool {
  readonly #idle = new Map<string, Connection[]>();
  readonly #shared = new Map<string, Promise<Http2Session | undefined>>();
  readonly #opened: Promise<Http2Session | undefined>[] = [];

  /** What the first connection of a key, which is perhaps still being opened, comes to: HTTP/2 for all, or nothing. */
  session(key: string): Promise<Http2Session | undefined> | undefined {
    return this.#shared.get(key);
  }

  /** Takes what is being opened for those who come next; `undefined` is what turns out not to be for many. */
  share(key: string, opening: Promise<Http2Session | undefined>): void {
    const settled = opening.catch(() => {
      if (this.#shared.get(key) === settled) this.#shared.delete(key);
      return undefined;
    });
    this.#opened.push(settled);
    if (!this.#shared.has(key)) this.#shared.set(key, settled);
  }

  /** A connection that can be used now, if there is one. */
  take(key: string): Connection | undefined {
    const waiting = this.#idle.get(key) ?? [];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { socket } = next;
      socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
      if (!socket.destroyed && socket.readable && socket.writable) return next;
      socket.destroy();
    }
    return undefined;
  }

  /** Keeps a connection until it is wanted again. Whatever it says unasked ends it. */
  give(key: string, connection: Connection): void {
    const { socket, reader } = connection;
    const drop = (): boolean => {
      socket.destroy();
      return false;
    };
    if (reader === undefined) socket.on('data', drop);
    else reader.onBytes(drop);
    socket.on('end', drop);
    const waiting = this.#idle.get(key);
    if (waiting === undefined) this.#idle.set(key, [connection]);
    else waiting.push(connection);
  }

  /** Ends everything. */
  close(): void {
    for (const { socket } of [...this.#idle.values()].flat()) socket.destroy();
    this.#idle.clear();
    for (const opened of this.#opened) opened.then((session) => session?.close());
  }
}
