import type { Duplex } from 'node:stream';
import { toNettoolError } from '../../errors.js';
import { IdlePool, type IdlePoolOptions } from '../../net/idle-pool.js';
import type { SocketReader } from '../../net/socket-reader.js';
import { GatewayError } from '../gateway-error.js';
import type { Clock } from '../server/clock.js';
import { UpstreamConnection } from './connection.js';
import { NoReply } from './reply-error.js';
import type { UpstreamReply, UpstreamRequest, UpstreamTimeouts } from './types.js';

/** How an upstream is reached. */
export interface UpstreamClientOptions extends UpstreamTimeouts, IdlePoolOptions {
  /** Opens a connection to it. */
  readonly open: (signal: AbortSignal) => Promise<OpenedSocket>;
  readonly clock: Clock;
}

/** A connection that was opened, and what reads it, when bytes are only lent. */
export interface OpenedSocket {
  readonly socket: Duplex;
  readonly reader?: SocketReader | undefined;
}

/** A request somebody waits for. */
export interface AwaitedRequest extends UpstreamRequest {
  readonly signal: AbortSignal;
}

/** No connection could be made: the request is as it was. */
export class ConnectFailure extends GatewayError {}

/** A connection that was in use a moment ago is not one that the upstream is just about to close. */
const FRESH_MS = 1000;

/** One upstream and the connections to it. */
export class UpstreamClient {
  /** Requests under way. */
  active = 0;
  readonly #options: UpstreamClientOptions;
  readonly #pool: IdlePool<UpstreamConnection>;
  readonly #open = new Set<UpstreamConnection>();
  #isClosed = false;

  constructor(options: UpstreamClientOptions) {
    this.#options = options;
    this.#pool = new IdlePool(options);
  }

  /**
   * Sends a request on a connection that is kept or a new one. Rejects with a {@link ConnectFailure}, with
   * {@link NoReply} when it may not have been seen, or with another {@link GatewayError}. One that `isReplayable` may
   * be sent again when nothing came back: its method allows that, and its content is at hand.
   */
  async send(request: AwaitedRequest, isReplayable: boolean): Promise<UpstreamReply> {
    const kept = this.#pool.take(isReplayable ? undefined : FRESH_MS);
    if (kept !== undefined) {
      try {
        return await this.#exchange(kept, request);
      } catch (error) {
        if (!(error instanceof NoReply) || !isReplayable || request.signal.aborted) throw error;
        // It had been closed while it waited; a new one has not.
      }
    }
    return this.#exchange(await this.#connect(request.signal), request);
  }

  close(): void {
    this.#isClosed = true;
    this.#pool.close();
    for (const connection of this.#open) connection.destroy();
  }

  async #connect(signal: AbortSignal): Promise<UpstreamConnection> {
    const { open, clock } = this.#options;
    let opened: OpenedSocket;
    try {
      opened = await open(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message } = toNettoolError(error);
      throw new ConnectFailure(code === 'TIMEOUT' ? 504 : 502, message, error);
    }
    const connection = new UpstreamConnection(opened.socket, clock, this.#options, opened.reader);
    this.#open.add(connection);
    connection.onFree = (isReusable) => {
      this.active -= 1;
      if (isReusable) this.#pool.give(connection);
    };
    connection.onClose = () => {
      this.#open.delete(connection);
      this.#pool.drop(connection);
    };
    if (this.#isClosed) connection.destroy();
    return connection;
  }

  #exchange(connection: UpstreamConnection, request: AwaitedRequest): Promise<UpstreamReply> {
    if (request.signal.aborted) {
      // Nothing was sent: the connection is as good as before.
      this.#pool.give(connection);
      throw request.signal.reason;
    }
    this.active += 1;
    return connection.send(request);
  }
}
