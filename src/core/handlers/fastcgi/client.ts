import { NettoolError } from '../../errors.js';
import { GatewayError } from '../../http/gateway-error.js';
import { IdlePool } from '../../net/idle-pool.js';
import { dial, formatStreamAddress, type StreamAddress } from '../../net/stream-dial.js';
import { readScriptHead, type ScriptHead, type ScriptOutput } from '../script-answer.js';
import { createTurnstile } from '../turnstile.js';
import { FastcgiConnection, type FastcgiRequest, StaleConnection } from './connection.js';

/** How a FastCGI application is reached. */
export interface FastcgiClientOptions {
  readonly address: StreamAddress;
  readonly connectTimeoutMs: number;
  /** Requests under way at a time; the others wait, and get 503 when that takes too long. */
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

/** An application behind a pool of connections. */
export interface FastcgiClient {
  call(call: FastcgiCall): Promise<FastcgiAnswer>;
  close(): void;
}

/** A child of php-fpm belongs to the connection it has: none is held for long, nor many. */
const IDLE = { maxIdle: 16, idleMs: 5000 };

/** A connection that was in use a moment ago is not one that the application is just about to close. */
const FRESH_MS = 500;

/** Makes a client: one request at a time on a connection, which then waits for the next one. */
export function createFastcgiClient(options: FastcgiClientOptions): FastcgiClient {
  const { address, connectTimeoutMs, maxConnections, maxWaiting, timeoutMs } = options;
  const pool = new IdlePool<FastcgiConnection>(IDLE);
  const turnstile = createTurnstile({ places: maxConnections, maxWaiting, maxWaitMs: timeoutMs });
  const open = new Set<FastcgiConnection>();

  const connect = async (signal: AbortSignal): Promise<FastcgiConnection> => {
    try {
      const connection = new FastcgiConnection(await dial(address, { timeoutMs: connectTimeoutMs, signal }));
      open.add(connection);
      connection.onClose = () => {
        open.delete(connection);
        pool.drop(connection);
      };
      return connection;
    } catch (error) {
      throw signal.aborted ? error : toGatewayError(error);
    }
  };

  /** Whether another request stands in the application's queue: a connection that is kept would keep it there. */
  const isQueueing = (): boolean => {
    for (const connection of open) if (!connection.hasAnswered) return true;
    return false;
  };

  const attempt = async (call: FastcgiCall, connection: FastcgiConnection): Promise<FastcgiAnswer> => {
    const output = connection.run(call.request(), (isReusable) => {
      if (isReusable && !isQueueing()) pool.give(connection);
      else connection.destroy();
    });
    const onAbort = (): void => output.release(false);
    call.signal.addEventListener('abort', onAbort, { once: true });
    if (call.signal.aborted) onAbort();
    try {
      return { ...(await readScriptHead(output, {})), output };
    } catch (error) {
      output.release(false);
      throw error;
    }
  };

  const callOnce = async (call: FastcgiCall): Promise<FastcgiAnswer> => {
    const reused = pool.take(call.isIdempotent ? undefined : FRESH_MS);
    if (reused === undefined) return attempt(call, await connect(call.signal));
    try {
      return await attempt(call, reused);
    } catch (error) {
      if (!(error instanceof StaleConnection) || !call.isIdempotent) throw error;
      // It had been closed while it waited; this one has not.
      return attempt(call, await connect(call.signal));
    }
  };

  return {
    async call(call) {
      const leave = await turnstile.enter(call.signal);
      try {
        const answer = await callOnce(call);
        return { ...answer, output: releasing(answer.output, leave) };
      } catch (error) {
        leave();
        throw error instanceof StaleConnection ? new GatewayError(502, error.message, error) : error;
      }
    },
    close() {
      pool.close();
      for (const connection of open) connection.destroy();
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

/** The output, giving the place back when it is released. */
function releasing(output: ScriptOutput, leave: () => void): ScriptOutput {
  return {
    read: () => output.read(),
    rest: () => output.rest?.(),
    release(isComplete) {
      output.release(isComplete);
      leave();
    },
  };
}
