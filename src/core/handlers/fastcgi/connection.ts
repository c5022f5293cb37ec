import type { Socket } from 'node:net';
import { GatewayError } from '../../http/gateway-error.js';
import type { Clock, Timed } from '../../http/server/clock.js';
import { dial, type StreamAddress } from '../../net/stream-dial.js';
import { Exchange, type ExchangeLine, type ExchangeOwner, type FastcgiRequest } from './exchange.js';
import { RecordParser } from './records.js';

/** How a connection is made, and how patient it is. */
export interface ConnectionOptions {
  readonly connectTimeoutMs: number;
  /** How long the application may be silent while it is waited for. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What is read is taken apart and copied at once: all connections read into the same memory. */
const INPUT = Buffer.allocUnsafeSlow(64 * 1024);

/** A connection to a FastCGI application, for one request after the other. */
export class FastcgiConnection implements ExchangeLine, Timed {
  deadline = Number.POSITIVE_INFINITY;
  readonly socket: Socket;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #parser = new RecordParser();
  #exchange: Exchange | undefined;
  /** Called when it ends, also while it waits for its next use. */
  onClose: () => void = () => {};

  static async open(address: StreamAddress, options: ConnectionOptions): Promise<FastcgiConnection> {
    let connection: FastcgiConnection | undefined;
    const callback = (size: number, bytes: Uint8Array): boolean =>
      connection === undefined || connection.#receive((bytes as Buffer).subarray(0, size));
    const { connectTimeoutMs: timeoutMs, signal } = options;
    const socket = await dial(address, { timeoutMs, signal, onRead: { buffer: INPUT, callback } });
    connection = new FastcgiConnection(socket, options);
    return connection;
  }

  private constructor(socket: Socket, { clock, timeoutMs }: ConnectionOptions) {
    this.socket = socket;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    clock.watch(this);
    socket.on('error', () => {});
    socket.on('end', () => this.destroy());
    socket.on('close', () => {
      clock.unwatch(this);
      this.#exchange?.fail(undefined);
      this.onClose();
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Sends a request; what becomes of it is told to the owner. */
  run(request: FastcgiRequest, owner: ExchangeOwner): Exchange {
    const exchange = new Exchange(this, request, owner);
    this.#exchange = exchange;
    this.deadline = this.#clock.after(this.#timeoutMs);
    exchange.send();
    return exchange;
  }

  end(isReusable: boolean): void {
    this.#exchange = undefined;
    this.deadline = Number.POSITIVE_INFINITY;
    // PHP goes on with its script when it is told to abort: only the end of the connection ends it.
    if (!isReusable) this.destroy();
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
      this.destroy();
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
    if (this.#exchange === exchange) this.deadline = deadline;
    return isMoreWanted;
  }
}
