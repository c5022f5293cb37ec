import type { Socket } from 'node:net';
import { GatewayError } from '../../http/gateway-error.js';
import type { Clock, Timed } from '../../http/server/clock.js';
import { dial, type StreamAddress } from '../../net/stream-dial.js';
import { Exchange, type ExchangeLine, type FastcgiCall } from './exchange.js';
import type { Link } from './link.js';
import { RecordParser } from './records.js';

/** How a connection is made, and how patient it is. */
export interface ConnectionOptions {
  readonly address: StreamAddress;
  readonly connectTimeoutMs: number;
  /** How long the application may be silent while it is waited for. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Whom connections tell what becomes of them, each by its link. */
export interface ConnectionOwner {
  /** Something has come. */
  heard(link: Link): void;
  /** The request it carried is done; whether it can take another one. */
  free(link: Link, isReusable: boolean): void;
  /** It ended before anything came back for this request. */
  stale(link: Link, call: FastcgiCall, error: Error): void;
  /** It has ended, also while it waited for its next use. */
  closed(link: Link): void;
}

/** What is read is taken apart and copied at once: all connections read into the same memory. */
const INPUT = Buffer.allocUnsafeSlow(64 * 1024);

/** A connection to a FastCGI application, for one request after the other. */
export class FastcgiConnection implements ExchangeLine, Timed {
  deadline = Number.POSITIVE_INFINITY;
  readonly socket: Socket;
  readonly #link: Link;
  readonly #owner: ConnectionOwner;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #parser = new RecordParser();
  #exchange: Exchange | undefined;

  static async open(
    link: Link,
    owner: ConnectionOwner,
    options: ConnectionOptions,
  ): Promise<FastcgiConnection> {
    let connection: FastcgiConnection | undefined;
    const callback = (size: number, bytes: Uint8Array): boolean =>
      connection === undefined || connection.#receive((bytes as Buffer).subarray(0, size));
    const { address, connectTimeoutMs: timeoutMs, signal } = options;
    const socket = await dial(address, { timeoutMs, signal, onRead: { buffer: INPUT, callback } });
    connection = new FastcgiConnection(socket, link, owner, options);
    return connection;
  }

  private constructor(
    socket: Socket,
    link: Link,
    owner: ConnectionOwner,
    { clock, timeoutMs }: ConnectionOptions,
  ) {
    this.socket = socket;
    this.#link = link;
    this.#owner = owner;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    clock.watch(this);
    socket.on('error', () => {});
    socket.on('end', () => this.#finish());
    socket.on('close', () => this.#finish());
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Nothing comes on it any more: no request must get it until the socket has found out that it is closed. */
  #finish(): void {
    this.destroy();
    this.#clock.unwatch(this);
    this.#exchange?.fail(undefined);
    this.#owner.closed(this.#link);
  }

  /** Sends a request; what becomes of it is told to the call. */
  run(call: FastcgiCall): void {
    const exchange = new Exchange(this, call);
    call.exchange = exchange;
    this.#exchange = exchange;
    this.deadline = this.#clock.after(this.#timeoutMs);
    exchange.send();
  }

  heard(): void {
    this.#owner.heard(this.#link);
  }

  end(isReusable: boolean): void {
    this.#exchange = undefined;
    this.deadline = Number.POSITIVE_INFINITY;
    // PHP goes on with its script when it is told to abort: only the end of the connection ends it.
    if (!isReusable) this.destroy();
    this.#owner.free(this.#link, isReusable);
  }

  stale(call: FastcgiCall, error: Error): void {
    this.#owner.stale(this.#link, call, error);
  }

  resume(): void {
    this.deadline = this.#clock.after(this.#timeoutMs);
    this.socket.resume();
  }

  onDeadline(): void {
    this.#exchange?.fail(new GatewayError(504, `the application said nothing for ${this.#timeoutMs} ms`));
  }

  /** Takes input in; whether more is wanted. */
  #receive(bytes: Buffer): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Nobody asked for anything: it must not become the answer to the next request.
      this.#finish();
      return true;
    }
    let isMoreWanted = true;
    try {
      this.#parser.push(bytes, exchange);
      isMoreWanted = exchange.advance();
    } catch (error) {
      exchange.fail(error as Error);
    }
    // A slow reader is none of the application's faults.
    const deadline = isMoreWanted ? this.#clock.after(this.#timeoutMs) : Number.POSITIVE_INFINITY;
    if (this.#exchange === exchange && !exchange.isAnswered) this.deadline = deadline;
    return isMoreWanted;
  }
}
