import { createServer, type Server, type Socket } from 'node:net';
import { closeDescriptor, descriptorLimit, duplicateDescriptor } from '../platform/descriptors.js';
import type { Endpoint } from './dial.js';
import { type BoundAddress, listen } from './listener.js';
import { listenUnix } from './unix-listener.js';

/** Descriptors kept for everything that is not a connection: streams, timers, files, the listener and its copy. */
const RESERVED_DESCRIPTORS = 48;

const BACKLOG = 4096;

/** What an acceptor is told. */
export interface AcceptorOptions {
  readonly endpoint: Endpoint;
  /** More wait in the backlog until one of these has gone. */
  readonly maxConnections?: number | undefined;
  /** How many descriptors a connection takes. */
  readonly descriptorsEach: number;
  /** Gets each socket, paused and allowed to be half open; `release` is to be called once when it is done with. */
  onSocket(socket: Socket): void;
  /** All descriptors are in use: connections wait. Called once. */
  onExhausted(): void;
}

/** A listener that never takes more connections than it may have. */
export interface Acceptor {
  readonly address: BoundAddress | undefined;
  /** One of the connections has gone: there is room for another. */
  release(): void;
  /** Stops listening; whoever waits in the backlog is refused. */
  close(): void;
}

/**
 * Accepts connections up to a limit: its own, or what this process may have open, so that accepting never fails for
 * want of a descriptor (libuv would then take the waiting connections and close them). While it is full the listening
 * socket stays, by a copy of its descriptor, but nobody accepts: the kernel's backlog holds the rest.
 */
export async function startAcceptor(options: AcceptorOptions): Promise<Acceptor> {
  const { endpoint, onSocket } = options;
  const room = capacity(options.descriptorsEach);
  const most = Math.min(options.maxConnections ?? Number.POSITIVE_INFINITY, room);
  const waiting: Socket[] = [];
  let active = 0;
  let closed = false;
  let exhausted = false;
  let parkedFd: number | undefined;
  let server = makeServer();

  function makeServer(): Server {
    const made = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, onConnection);
    return made.on('error', warnOnce);
  }
  function warnOnce(): void {
    if (exhausted || closed || server.listening === false) return;
    exhausted = true;
    options.onExhausted();
  }
  function onConnection(socket: Socket): void {
    // One that was accepted before accepting could be stopped.
    if (active >= most) waiting.push(socket);
    else start(socket);
    if (active >= most && parkedFd === undefined) park();
  }
  function start(socket: Socket): void {
    active += 1;
    onSocket(socket);
  }
  function release(): void {
    active -= 1;
    const next = waiting.shift();
    if (next !== undefined) start(next);
    else if (parkedFd !== undefined && active < most) unpark(parkedFd);
  }
  function park(): void {
    if (closed) return;
    if (most === room) warnOnce();
    // Closing a Unix listener would remove its file: there the sockets are held instead.
    if ('path' in endpoint) return;
    const fd = (server as { _handle?: { fd?: unknown } })._handle?.fd;
    parkedFd = typeof fd === 'number' && fd >= 0 ? duplicateDescriptor(fd) : undefined;
    if (parkedFd !== undefined) server.close();
  }
  function unpark(fd: number): void {
    parkedFd = undefined;
    if (closed) return;
    server = makeServer().listen({ fd, backlog: BACKLOG });
  }

  let address: BoundAddress | undefined;
  if ('path' in endpoint) await listenUnix(server, endpoint.path);
  else address = await listen(server, endpoint);
  return {
    address,
    release,
    close() {
      if (closed) return;
      closed = true;
      if (parkedFd === undefined) server.close();
      else closeDescriptor(parkedFd);
      for (const socket of waiting.splice(0)) socket.destroy();
    },
  };
}

function capacity(descriptorsEach: number): number {
  const limit = descriptorLimit();
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor((limit - RESERVED_DESCRIPTORS) / descriptorsEach));
}
