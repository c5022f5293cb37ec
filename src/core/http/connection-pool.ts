import type { Connection } from '../net/connect.js';

/** Open HTTP/1.1 connections that wait for their next request, by everything that makes them what they are. */
export class ConnectionPool {
  readonly #idle = new Map<string, Connection[]>();

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

  /** Ends everything that waits. */
  close(): void {
    for (const { socket } of [...this.#idle.values()].flat()) socket.destroy();
    this.#idle.clear();
  }
}
