import type { Duplex } from 'node:stream';
import { toNettoolError } from '../../errors.js';
import { IdlePool } from '../../net/idle-pool.js';
import { GatewayError } from '../gateway-error.js';
import type { Clock } from '../server/clock.js';
import { UpstreamConnection } from './connection.js';
import { NoReply } from './reply-error.js';
import type { UpstreamReply, UpstreamRequest, UpstreamTimeouts } from './types.js';

/** How an upstream is reached. */
export interface UpstreamClientOptions extends UpstreamTimeouts {
  /** Opens a connection to it. */
  readonly open: (signal: AbortSignal) => Promise<Duplex>;
  readonly clock: Clock;
  readonly maxIdle: number;
  /** How long a connection may wait for its next request. */
  readonly idleMs: number;
}

/** How a request may be dealt with. */
export interface SendOptions {
  readonly signal: AbortSignal;
  /** It may be sent again when nothing came back: its method allows that, and its content is at hand. */
  readonly isReplayable: boolean;
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
   * {@link NoReply} when it may not have been seen, or with another {@link GatewayError}.
   */
  async send(request: UpstreamRequest, options: SendOptions): Promise<UpstreamReply> {
    const kept = this.#pool.take(options.isReplayable ? undefined : FRESH_MS);
    if (kept !== undefined) {
      try {
        return await this.#exchange(kept, request, options.signal);
      } catch (error) {
        if (!(error instanceof NoReply) || !options.isReplayable || options.signal.aborted) throw error;
        // It had been closed while it waited; a new one has not.
      }
    }
    return this.#exchange(await this.#connect(options.signal), request, options.signal);
  }

  close(): void {
    this.#isClosed = true;
    this.#pool.close();
    for (const connection of this.#open) connection.destroy();
  }

  async #connect(signal: AbortSignal): Promise<UpstreamConnection> {
    const { open, clock } = this.#options;
    let socket: Duplex;
    try {
      socket = await open(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message } = toNettoolError(error);
      throw new ConnectFailure(code === 'TIMEOUT' ? 504 : 502, message, error);
    }
    const connection = new UpstreamConnection(socket, clock, this.#options);
    this.#open.add(connection);
    connection.onClose = () => {
      this.#open.delete(connection);
      this.#pool.drop(connection);
    };
    if (this.#isClosed) connection.destroy();
    return connection;
  }

  async #exchange(
    connection: UpstreamConnection,
    request: UpstreamRequest,
    signal: AbortSignal,
  ): Promise<UpstreamReply> {
    const onAbort = (): void => connection.abandon();
    signal.addEventListener('abort', onAbort);
    this.active += 1;
    connection.onFree = (isReusable) => {
      this.active -= 1;
      signal.removeEventListener('abort', onAbort);
      if (isReusable) this.#pool.give(connection);
    };
    if (signal.aborted) {
      // Nothing was sent: the connection is as good as before.
      connection.onFree(true);
      throw signal.reason;
    }
    return connection.send(request);
  }
}
