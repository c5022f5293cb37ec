import { NettoolError } from '../../errors.js';
import { GatewayError } from '../../http/gateway-error.js';
import { Clock } from '../../http/server/clock.js';
import { formatStreamAddress, type StreamAddress } from '../../net/stream-dial.js';
import type { ScriptHead, ScriptOutput } from '../script-answer.js';
import { type Asking, LateBinding, type Link, TICK_MS } from './binding.js';
import { FastcgiConnection } from './connection.js';
import { type Exchange, type FastcgiRequest, StaleConnection } from './exchange.js';

/** How a FastCGI application is reached. */
export interface FastcgiClientOptions {
  readonly address: StreamAddress;
  readonly connectTimeoutMs: number;
  /** At a time; the other requests wait, and get 503 when that takes too long. */
  readonly maxConnections: number;
  readonly maxWaiting: number;
  readonly timeoutMs: number;
}

/** One request to the application. */
export interface FastcgiCall {
  /** The request, made anew for each attempt. */
  readonly request: () => FastcgiRequest;
  /** Whether it may be sent again when a connection ended without an answer. */
  readonly isIdempotent: boolean;
  readonly signal: AbortSignal;
}

/** What came back: the head, and the output that the body is still to be read from. */
export interface FastcgiAnswer extends ScriptHead {
  readonly output: ScriptOutput;
}

/** An application behind connections that are kept. */
export interface FastcgiClient {
  call(call: FastcgiCall): Promise<FastcgiAnswer>;
  close(): void;
}

interface Pending extends Asking, FastcgiCall {
  resolve(answer: FastcgiAnswer): void;
  reject(reason: unknown): void;
  exchange?: Exchange | undefined;
}

/** Makes a client: one request at a time on a connection, which then takes the next one. */
export function createFastcgiClient(options: FastcgiClientOptions): FastcgiClient {
  const { address, connectTimeoutMs, maxConnections, maxWaiting, timeoutMs } = options;
  const clock = new Clock(TICK_MS);
  const connections = new Map<Link, FastcgiConnection>();
  let isClosed = false;

  const binding = new LateBinding<Pending>(
    {
      open(link, pending) {
        connect(link, pending).catch((error) => {
          binding.gone(link);
          pending.reject(pending.signal.aborted ? error : toGatewayError(error));
        });
      },
      send,
      close(link) {
        connections.get(link)?.destroy();
      },
      refuse(pending) {
        pending.reject(new GatewayError(503, `no connection became free in ${timeoutMs} ms`));
      },
    },
    { maxConnections, maxWaitMs: timeoutMs },
  );

  async function connect(link: Link, pending: Pending): Promise<void> {
    const { signal } = pending;
    const connection = await FastcgiConnection.open(address, { connectTimeoutMs, timeoutMs, clock, signal });
    connections.set(link, connection);
    connection.onClose = () => {
      connections.delete(link);
      binding.gone(link);
    };
    if (isClosed) connection.destroy();
    send(link, pending);
  }

  function send(link: Link, pending: Pending): void {
    const exchange = connections.get(link)?.run(pending.request(), {
      onHeard: () => {
        if (link.uses === 0) binding.heard(link);
      },
      onHead: (head) => pending.resolve({ ...head, output: exchange as Exchange }),
      onFailure(error) {
        if (!(error instanceof StaleConnection)) pending.reject(error);
        else if (link.uses > 0 && pending.isRepeatable) binding.retry(link, pending);
        else pending.reject(new GatewayError(502, error.message, error));
      },
      onFree: (isReusable) => (isReusable ? binding.free(link) : binding.gone(link)),
    });
    pending.exchange = exchange;
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
    call: (call) =>
      new Promise((resolve, reject) => {
        const { isIdempotent: isRepeatable, signal } = call;
        const pending: Pending = { ...call, isRepeatable, sinceMs: 0, resolve, reject };
        signal.addEventListener(
          'abort',
          () => {
            if (binding.withdraw(pending)) reject(signal.reason);
            else pending.exchange?.fail(signal.reason);
          },
          { once: true },
        );
        binding.ask(pending);
        if (binding.waiting > maxWaiting && binding.withdraw(pending)) {
          reject(new GatewayError(503, 'too many requests wait'));
        }
        clock.watch(ticker);
      }),
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
    const cause =
      error instanceof NettoolError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
    const isFull = cause?.code === 'EAGAIN' || (error instanceof NettoolError && error.code === 'TIMEOUT');
    return new GatewayError(isFull ? 503 : 502, message, error);
  }
}
