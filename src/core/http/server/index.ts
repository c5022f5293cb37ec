import { setTimeout as delay } from 'node:timers/promises';
import type { Handler } from '../handler.js';
import type { RunningServer, ServeOptions } from '../server-types.js';
import { Acceptor } from './accept.js';
import { ServerContext } from './context.js';
import { type OpenListener, openListeners } from './listeners.js';

const DEFAULT_GRACE_MS = 10_000;
/** An answer of which nothing was sent for so long only waits. */
const QUIET_MS = 1000;

/**
 * Answers requests with a handler until it is stopped: HTTP/1.1 on sockets of its own, HTTP/2 by ALPN or prior
 * knowledge. Then running answers are finished and the handler is closed.
 */
export async function serveHttp(handler: Handler, options: ServeOptions): Promise<RunningServer> {
  let listeners: OpenListener[];
  const context = new ServerContext(handler, options);
  let acceptor: Acceptor;
  try {
    acceptor = await Acceptor.create(context, options);
    listeners = await openListeners(options, (socket, isTls) => acceptor.accept(socket, isTls));
  } catch (error) {
    await handler.close?.();
    throw error;
  }
  const events = listeners.map(({ event }) => event);
  const [first] = events;
  if (first === undefined) throw new RangeError('there is nowhere to listen');
  for (const event of events) context.emit(event);

  const { promise: closed, resolve, reject } = Promise.withResolvers<void>();
  // Whoever waits for it is told; nobody has to.
  closed.catch(() => {});
  const hurry = new AbortController();
  const stop = (idleMs = 0): void => {
    const wasStopping = context.isStopping;
    context.isStopping = true;
    if (idleMs === 0) hurry.abort();
    if (wasStopping) return;
    for (const { server } of listeners) server.close();
    const graceMs = options.graceMs ?? DEFAULT_GRACE_MS;
    drain(context, { graceMs, idleMs, hurry: hurry.signal }).then(resolve, reject);
  };
  options.signal.addEventListener('abort', () => stop(), { once: true });
  if (options.signal.aborted) stop();
  return {
    url: first.url,
    urls: events.flatMap(({ urls }) => urls),
    host: first.host,
    port: first.port,
    listeners: events,
    get connections() {
      return context.connections.size;
    },
    get requests() {
      return context.requests;
    },
    closed,
    close() {
      if (hurry.signal.aborted) context.destroyAll();
      stop();
      return closed;
    },
    retire(idleMs) {
      if (!context.isStopping) stop(idleMs);
      return closed;
    },
    setTlsIdentity: (identity) => acceptor.setTlsIdentity(identity),
  };
}

interface Patience {
  readonly graceMs: number;
  /** How long idle connections may bring another request. */
  readonly idleMs: number;
  /** Ends the patience with those. */
  readonly hurry: AbortSignal;
}

/** Lets what runs finish, cuts what takes too long, then closes the handler. */
async function drain(context: ServerContext, { graceMs, idleMs, hurry }: Patience): Promise<void> {
  // Not until all are gone: what is in its handshake is yet to become a connection.
  if (idleMs > 0) await delay(idleMs, undefined, { signal: hurry }).catch(() => {});
  const isEmpty = new Promise<void>((resolve) => {
    context.onEmpty = resolve;
  });
  context.onlyUpgraded = () => context.handler.retire?.();
  for (const connection of [...context.connections]) connection.drain(false);
  context.tellWhatIsLeft();
  if (context.connections.size > 0) {
    const grace = new AbortController();
    const timeUp = delay(graceMs, undefined, { signal: grace.signal }).catch(() => {});
    drainLate(context, graceMs, grace.signal).catch(() => {});
    await Promise.race([isEmpty, timeUp]);
    grace.abort();
    context.destroyAll();
    if (context.connections.size > 0) await isEmpty;
  }
  await context.handler.close?.();
  context.emit({ type: 'closed', requests: context.requests });
}

/**
 * From half of the grace time on, answers that only wait for something to happen are no longer waited for. Not
 * earlier: nobody can tell a feed without end from a report that is still being made.
 */
async function drainLate(context: ServerContext, graceMs: number, signal: AbortSignal): Promise<void> {
  const pauseMs = Math.min(QUIET_MS, graceMs / 8);
  for (let waitMs = graceMs / 2; ; waitMs = pauseMs) {
    await delay(waitMs, undefined, { signal });
    for (const connection of [...context.connections]) connection.drain(true);
    context.tellWhatIsLeft();
  }
}
