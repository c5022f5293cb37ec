import { NettoolError, toNettoolError } from '../errors.js';
import { Connection, type Output } from './connection.js';
import { type DialOptions, dial, formatEndpoint } from './dial.js';
import { createExpectation, type Expectation } from './expectation.js';
import { tap, toCrlf } from './flow.js';
import { peerGone } from './peer-gone.js';
import { meter } from './progress.js';
import type { CloseReason, OnSocketEvent } from './socket-events.js';
import { endsByItself, type Source, sendSource } from './source.js';
import { runThroughput, type ThroughputOptions } from './throughput.js';
import { describeTls } from './tls-facts.js';

/** A client's one connection and what goes through it. */
export interface TcpClientOptions {
  readonly dial: Omit<DialOptions, 'signal' | 'fast'>;
  /** Tries again for so long while the port does not accept. */
  readonly waitMs?: number | undefined;
  readonly source: Source;
  /** A person types: the peer's FIN ends the session, nothing more is on its way. */
  readonly interactive?: boolean;
  /** Ends at once when the source has ended, instead of waiting for the peer's end. */
  readonly noHalfClose?: boolean;
  readonly crlf?: boolean;
  readonly output: Output;
  /** Ends at a match, and fails when none came. */
  readonly expect?: RegExp | undefined;
  readonly throughput?: ThroughputOptions | undefined;
  /** The whole run. */
  readonly timeoutMs?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
  readonly limitRate?: number | undefined;
  readonly checksum?: boolean | undefined;
  readonly progress?: boolean | undefined;
  readonly onEvent: OnSocketEvent;
  readonly onSent?: ((bytes: Buffer) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Connects and joins source, connection and output until both sides have ended; fails when it ends any other way. */
export async function runTcpClient(options: TcpClientOptions): Promise<void> {
  const { onEvent } = options;
  const time = startDeadline(options);
  const signal = AbortSignal.any([options.signal, time.signal]);
  try {
    const dialed = await dialUntilOpen(options, signal);
    const { socket } = dialed;
    const connection = new Connection(socket, { ...options, ...dialed, id: 1 });
    const { remoteAddress = null, remotePort = null } = connection;
    onEvent({ type: 'open', id: 1, remoteAddress, remotePort, tls: describeTls(socket) });
    const abort = (): void => connection.destroy(reasonOf(options.signal));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const meters = options.progress === true ? meter([connection], NOTHING, onEvent) : undefined;
    try {
      await converse(connection, options);
    } finally {
      signal.removeEventListener('abort', abort);
      meters?.stop();
      connection.destroy('fin');
      await connection.closed;
      onEvent(connection.closeEvent());
    }
  } catch (error) {
    throw options.signal.aborted ? options.signal.reason : time.signal.aborted ? time.signal.reason : error;
  } finally {
    time.clear();
  }
}

/** Our own time being up is a limit; an output that is gone ends a session as its end would. */
function reasonOf(signal: AbortSignal): CloseReason {
  if (!signal.aborted) return 'limit';
  return toNettoolError(signal.reason).code === 'OUTPUT_FAILED' ? 'fin' : 'signal';
}

const NOTHING = { bytesIn: 0, bytesOut: 0 };

function startDeadline({ timeoutMs, expect }: TcpClientOptions): { signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  if (timeoutMs === undefined) return { signal: controller.signal, clear: () => {} };
  const timer = setTimeout(() => {
    const words = `within ${timeoutMs / 1000} s`;
    controller.abort(
      expect === undefined
        ? new NettoolError('TIMEOUT', `not finished ${words}`)
        : new NettoolError('EXPECTATION_FAILED', `nothing that matches ${expect} came ${words}`),
    );
  }, timeoutMs);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

/** First pause between attempts, and the longest. */
const RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;

/** What may be over in a moment: nobody listens yet, or the name or route is not there yet. */
const PASSING = new Set([
  'CONNECTION_REFUSED',
  'UNREACHABLE',
  'TIMEOUT',
  'DNS_FAILED',
  'DNS_NOT_FOUND',
  'TLS_HANDSHAKE',
]);

async function dialUntilOpen(options: TcpClientOptions, signal: AbortSignal) {
  const endsAt = performance.now() + (options.waitMs ?? 0);
  const fast = options.limitRate === undefined;
  for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_RETRY_MS)) {
    try {
      return await dial({ ...options.dial, signal, fast: fast && !wantsSplice(options) });
    } catch (error) {
      const left = endsAt - performance.now();
      if (signal.aborted || left <= 0 || !PASSING.has(toNettoolError(error).code)) throw error;
      await pause(Math.min(pauseMs, left), signal);
    }
  }
}

/** Bytes that go to a pipe unseen are not read at all. */
function wantsSplice({ output, checksum, expect, throughput }: TcpClientOptions): boolean {
  return output.pipeFd !== undefined && checksum !== true && expect === undefined && throughput === undefined;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish, { once: true });
  });
}

async function converse(connection: Connection, options: TcpClientOptions): Promise<void> {
  const { throughput, expect, onEvent } = options;
  if (throughput !== undefined) return runThroughput(connection, throughput, onEvent);
  const expectation = expect && createExpectation(expect);
  try {
    const session = exchange(connection, options, expectation);
    await (expectation === undefined ? session : Promise.race([session, expectation.matched]));
    // What is left of it ends with the connection.
    session.catch(() => {});
  } catch (error) {
    if (expectation?.isMatched !== true) throw toSessionError(error, connection, options);
  }
  if (expectation !== undefined && !expectation.isMatched) {
    throw new NettoolError('EXPECTATION_FAILED', `the peer ended, and nothing that matches ${expect} came`);
  }
}

/** Both directions at once, each to its own end. */
async function exchange(
  connection: Connection,
  options: TcpClientOptions,
  expectation?: Expectation,
): Promise<void> {
  const { source, output } = options;
  const stopInput = new AbortController();
  const send = options.crlf === true ? toCrlf(connection.send) : connection.send;
  const outgoing = sendSource(source, send, stopInput.signal).then(() => {
    connection.end();
    if (options.noHalfClose === true) connection.socket.destroySoon();
  });
  const sink = expectation === undefined ? output.sink : tap(output.sink, expectation.look);
  const incoming = connection.receive(
    expectation === undefined ? output : { ...output, sink, pipeFd: undefined },
  );
  try {
    // Whichever fails first: a source that cannot be read must not wait for the peer.
    await Promise.race([incoming, outgoing.then(() => incoming)]);
    await Promise.race([outgoing, inputUseless(connection, options)]);
    connection.end();
    await connection.closed;
    if (connection.error !== undefined) throw connection.error;
    if (connection.closeEvent().reason === 'idle') throw new NettoolError('TIMEOUT', 'idle');
  } catch (error) {
    if (options.noHalfClose !== true || !connection.socket.writableEnded || connection.error !== undefined)
      throw error;
  } finally {
    outgoing.catch(() => {});
    incoming.catch(() => {});
    stopInput.abort();
  }
}

/** After the peer's FIN, a source without an end of its own that is silent for so long is taken to have ended. */
const SILENCE_MS = 2000;

/** After the peer's FIN: resolves when nothing more is to be expected from the source, or nobody is left to get it. */
async function inputUseless(
  connection: Connection,
  { source, interactive }: TcpClientOptions,
): Promise<void> {
  // All that is known to be there is sent, whatever the peer does.
  if (endsByItself(source)) return new Promise(() => {});
  if (interactive === true) return;
  const stop = new AbortController();
  await Promise.race([peerGone(connection, stop.signal), silence(connection, stop.signal)]);
  stop.abort();
}

/** Many servers end their side and wait for ours to end: the two would wait for each other for ever. */
async function silence(connection: Connection, signal: AbortSignal): Promise<void> {
  for (let before = -1; before !== connection.bytesOut && !signal.aborted; ) {
    before = connection.bytesOut;
    await pause(SILENCE_MS, signal);
  }
}

function toSessionError(error: unknown, connection: Connection, options: TcpClientOptions): NettoolError {
  const { reason } = connection.closeEvent();
  if (reason === 'idle') {
    const seconds = (options.idleTimeoutMs ?? 0) / 1000;
    const name = formatEndpoint(options.dial.endpoint);
    return new NettoolError('TIMEOUT', `nothing moved between here and ${name} for ${seconds} s`);
  }
  return connection.error ?? toNettoolError(error);
}
