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
  const { endpoint } = options;
  const gate = new Gate(options);
  if ('path' in endpoint) await listenUnix(gate.server, endpoint.path);
  else gate.address = await listen(gate.server, endpoint);
  return gate;
}

class Gate implements Acceptor {
  address: BoundAddress | undefined;
  server: Server;

  private readonly options: AcceptorOptions;
  private readonly room: number;
  private readonly most: number;
  /** Accepted before accepting could be stopped. */
  private readonly waiting: Socket[] = [];
  private active = 0;
  private isClosed = false;
  private isExhausted = false;
  /** The listening socket while nobody accepts. */
  private parkedFd: number | undefined;

  constructor(options: AcceptorOptions) {
    this.options = options;
    this.room = capacity(options.descriptorsEach);
    this.most = Math.min(options.maxConnections ?? Number.POSITIVE_INFINITY, this.room);
    this.server = this.makeServer();
  }

  release(): void {
    this.active -= 1;
    const next = this.waiting.shift();
    if (next !== undefined) this.start(next);
    else if (this.active < this.most) this.unpark();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.parkedFd === undefined) this.server.close();
    else closeDescriptor(this.parkedFd);
    for (const socket of this.waiting.splice(0)) socket.destroy();
  }

  private makeServer(): Server {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
      if (this.active >= this.most) this.waiting.push(socket);
      else this.start(socket);
      if (this.active >= this.most && this.parkedFd === undefined) this.park();
    });
    // Accepting failed, for want of a descriptor that something else has taken.
    return server.on('error', () => server.listening && this.warnOnce());
  }

  private start(socket: Socket): void {
    this.active += 1;
    this.options.onSocket(socket);
  }

  private park(): void {
    if (this.isClosed) return;
    if (this.most === this.room) this.warnOnce();
    // Closing a Unix listener would remove its file: there the sockets are held instead.
    if ('path' in this.options.endpoint) return;
    const fd = (this.server as { _handle?: { fd?: unknown } })._handle?.fd;
    this.parkedFd = typeof fd === 'number' && fd >= 0 ? duplicateDescriptor(fd) : undefined;
    if (this.parkedFd !== undefined) this.server.close();
  }

  private unpark(): void {
    const fd = this.parkedFd;
    if (fd === undefined || this.isClosed) return;
    this.parkedFd = undefined;
    this.server = this.makeServer().listen({ fd, backlog: BACKLOG });
  }

  private warnOnce(): void {
    if (!this.isExhausted) this.options.onExhausted();
    this.isExhausted = true;
  }
}

function capacity(descriptorsEach: number): number {
  const limit = descriptorLimit();
  if (limit === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor((limit - RESERVED_DESCRIPTORS) / descriptorsEach));
}
