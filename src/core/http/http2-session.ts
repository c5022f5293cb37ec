import type { Client as ClientType, Dispatcher } from 'undici';
// @ts-expect-error undici types its main door only. This one loads its client and nothing else: 20 ms less.
import UndiciClient from 'undici/lib/dispatcher/client.js';
import type { Connection } from '../net/connect.js';

const Client = UndiciClient as typeof ClientType;

/**
 * HTTP/2 with one server (RFC 9113), which undici speaks: one connection for as many requests at once as the server
 * takes. When it takes no more, those it has not looked at go over the next connection.
 */
export class Http2Session {
  readonly #client: ClientType;
  readonly #closing = new AbortController();
  #connection: Connection;

  constructor(
    origin: string,
    connection: Connection,
    openNext: (signal: AbortSignal) => Promise<Connection>,
  ) {
    this.#connection = connection;
    let isFirst = true;
    const next = async (): Promise<Connection> => {
      if (!isFirst) this.#connection = await openNext(this.#closing.signal);
      isFirst = false;
      const { socket } = this.#connection;
      // What undici goes by; without TLS it is our word that the server speaks HTTP/2.
      if (!('alpnProtocol' in socket)) Object.assign(socket, { alpnProtocol: 'h2' });
      return this.#connection;
    };
    this.#client = new Client(origin, {
      connect: (_options, callback) => {
        next().then(
          ({ socket }) => callback(null, socket),
          (error) => callback(error, null),
        );
      },
      allowH2: true,
      // undici's own timers are off by up to a second.
      headersTimeout: 0,
      bodyTimeout: 0,
    } as ConstructorParameters<typeof ClientType>[1]);
  }

  /** The connection of today. */
  get connection(): Connection {
    return this.#connection;
  }

  /** Sends one request; its handler is told of the answer. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /** Ends the connection and every request on it. */
  close(): void {
    this.#closing.abort();
    this.#client.destroy().catch(() => {});
    this.#connection.socket.destroy();
  }
}
