import type { Socket } from 'node:net';
import type { ListenTarget } from '../server-types.js';
import { type FrontOptions, openListeners } from './listeners.js';

/** Connections that may wait for one listener; those beyond are refused. */
const MAX_WAITING = 4096;

/** Places that are bound before there is anything to serve. */
export interface Reserved {
  /** For `serveHttp`: whoever takes one gets what waits there. */
  readonly listen: ReadonlyArray<Extract<ListenTarget, { source: unknown }>>;
  /** Gives back the places that nobody has taken, and refuses what waits. */
  close(): void;
}

/** Binds every place to listen at, or none. An application that takes its time to start finds its port its own. */
export async function reserveListeners(options: FrontOptions): Promise<Reserved> {
  const queues: Queue[] = [];
  const open = await openListeners(options, (socket, _isSecure, index) => {
    queues[index] ??= new Queue();
    queues[index].push(socket);
  });
  const listen = open.map(({ server, event, tls }, index) => {
    queues[index] ??= new Queue();
    const queue = queues[index];
    return {
      event,
      tls,
      source(accept: (socket: Socket) => void) {
        queue.accept(accept);
        return () => server.close();
      },
    };
  });
  return {
    listen,
    close() {
      for (const { server } of open) server.close();
      for (const queue of queues) queue.refuse();
    },
  };
}

/** Connections of one place: they wait until somebody takes them. */
class Queue {
  readonly #waiting: Socket[] = [];
  #accept: ((socket: Socket) => void) | undefined;

  push(socket: Socket): void {
    if (this.#accept !== undefined) this.#accept(socket);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(socket);
    else socket.destroy();
  }

  accept(accept: (socket: Socket) => void): void {
    this.#accept = accept;
    for (const socket of this.#waiting.splice(0)) accept(socket);
  }

  refuse(): void {
    for (const socket of this.#waiting.splice(0)) socket.destroy();
  }
}
