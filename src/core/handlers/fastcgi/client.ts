import { NettoolError } from '../../errors.js';
import { GatewayError } from '../../http/gateway-error.js';
import { Clock } from '../../http/server/clock.js';
import { formatStreamAddress, type StreamAddress } from '../../net/stream-dial.js';
import { LateBinding, TICK_MS } from './binding.js';
import { type ConnectionOwner, FastcgiConnection } from './connection.js';
import type { FastcgiCall } from './exchange.js';
import type { Link } from './link.js';

/** How a FastCGI application is reached. */
export interface FastcgiClientOptions {
  readonly address: StreamAddress;
  readonly connectTimeoutMs: number;
  /** At a time; the other requests wait, and get 503 when that takes too long. */
  readonly maxConnections: number;
  readonly maxWaiting: number;
  readonly timeoutMs: number;
}

/** An application behind connections that are kept. */
export interface FastcgiClient {
  /** Sends a request as soon as there is a connection for it; what comes of it is told to the call. */
  ask(call: FastcgiCall): void;
  /** Nobody wants the answer any more. */
  abandon(call: FastcgiCall, reason: Error): void;
  close(): void;
}

/** Makes a client: one request at a time on a connection, which then takes the next one. */
export function createFastcgiClient(options: FastcgiClientOptions): FastcgiClient {
  const { address, maxConnections, maxWaiting, timeoutMs } = options;
  const clock = new Clock(TICK_MS);
  const connections = new Map<Link, FastcgiConnection>();
  let isClosed = false;

  const binding = new LateBinding<FastcgiCall>(
    {
      open(link, call) {
        connect(link, call).catch((error) => {
          if (isQueueFull(error)) return binding.full(link, call);
          binding.gone(link);
          call.onFailure(call.signal.aborted ? error : toGatewayError(error));
        });
      },
      send(link, call) {
        connections.get(link)?.run(call);
      },
      close(link) {
        connections.get(link)?.destroy();
      },
      refuse(call) {
        call.onFailure(new GatewayError(503, `no connection became free in ${timeoutMs} ms`));
      },
    },
    { maxConnections, maxWaitMs: timeoutMs },
  );

  const owner: ConnectionOwner = {
    heard(link) {
      if (link.uses === 0) binding.heard(link);
    },
    free(link, isReusable) {
      if (isReusable) binding.free(link);
      else binding.gone(link);
    },
    stale(link, call, error) {
      if (!binding.retry(link, call)) call.onFailure(new GatewayError(502, error.message, error));
    },
    closed(link) {
      connections.delete(link);
      binding.gone(link);
    },
  };

  async function connect(link: Link, call: FastcgiCall): Promise<void> {
    const { connectTimeoutMs } = options;
    const { signal } = call;
    const dialling = { address, connectTimeoutMs, timeoutMs, clock, signal };
    const connection = await FastcgiConnection.open(link, owner, dialling);
    connections.set(link, connection);
    if (isClosed) connection.destroy();
    connection.run(call);
  }

  const ticker = {
    deadline: 0,
    onDeadline(): void {
      // Also when it is the last time: whoever watches next wants the next tick.
      this.deadline = 0;
      binding.tick();
      if (!binding.isActive) clock.unwatch(this);
    },
  };

  return {
    ask(call) {
      binding.ask(call);
      if (binding.waiting > maxWaiting && binding.withdraw(call)) {
        call.onFailure(new GatewayError(503, 'too many requests wait'));
      }
      clock.watch(ticker);
    },
    abandon(call, reason) {
      if (binding.withdraw(call)) call.onFailure(reason);
      else call.exchange?.fail(reason);
    },
    close() {
      isClosed = true;
      clock.unwatch(ticker);
      for (const connection of connections.values()) connection.destroy();
    },
  };

  function toGatewayError(error: unknown): GatewayError {
    const message =
      error instanceof Error ? error.message : `cannot connect to ${formatStreamAddress(address)}`;
    // A queue that is full: connections to it are not refused, they are not taken.
    const isFull = error instanceof NettoolError && error.code === 'TIMEOUT';
    return new GatewayError(isFull ? 503 : 502, message, error);
  }
}

/** Whether the queue of a Unix socket has no room for another connection. */
function isQueueFull(error: unknown): boolean {
  const cause =
    error instanceof NettoolError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'EAGAIN';
}
