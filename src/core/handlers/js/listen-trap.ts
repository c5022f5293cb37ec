import { Server as HttpServer } from 'node:http';
import { Server } from 'node:net';

/** Servers that an application wanted to listen while the trap was set. */
export interface ListenTrap {
  /** The first of them, once there is one. */
  readonly server: HttpServer | undefined;
  /** The same, waited for. */
  readonly caught: Promise<HttpServer>;
  release(): void;
}

/**
 * Catches `listen()` of node:http servers: an application that opens its own port (`app.listen(3000)`) is served on
 * ours instead. It is told that it listens, as it expects.
 */
export function setListenTrap(): ListenTrap {
  const { listen } = Server.prototype;
  let first: HttpServer | undefined;
  let tell: (server: HttpServer) => void = () => {};
  const caught = new Promise<HttpServer>((resolve) => {
    tell = resolve;
  });
  Server.prototype.listen = function trapped(this: Server, ...args: unknown[]): Server {
    if (!(this instanceof HttpServer)) return Reflect.apply(listen, this, args) as Server;
    const callback = args.findLast((arg) => typeof arg === 'function');
    if (callback !== undefined) this.once('listening', callback as () => void);
    const port = portOf(args[0]);
    // Nor is it told, when it closes its server, that this never ran.
    const { close } = this;
    this.close = (done?: (error?: Error) => void) =>
      Reflect.apply(close, this, done === undefined ? [] : [() => done()]);
    this.address = () => ({ address: '127.0.0.1', family: 'IPv4', port });
    process.nextTick(() => this.emit('listening'));
    first ??= this;
    tell(this);
    return this;
  } as typeof listen;
  return {
    get server() {
      return first;
    },
    caught,
    release() {
      Server.prototype.listen = listen;
    },
  };
}

/** `listen(3000)`, `listen('3000')` or `listen({ port: 3000 })`. */
function portOf(where: unknown): number {
  const port = typeof where === 'object' && where !== null && 'port' in where ? where.port : where;
  return typeof port === 'number' || typeof port === 'string' ? Number(port) || 0 : 0;
}
