import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { HandlerEvent } from '../../src/core/handlers/handler-events.js';
import type { Handler } from '../../src/core/http/handler.js';
import { serveHttp } from '../../src/core/http/server.js';
import type { RequestEvent } from '../../src/core/http/server-types.js';

/** A handler behind a real server on a free port, gone when the test is over. */
export interface ServedHandler {
  /** `http://127.0.0.1:port`, without a slash. */
  readonly origin: string;
  readonly port: number;
  readonly requests: RequestEvent[];
  /** Writes bytes as they are and returns everything that comes back until the server closes. */
  raw(bytes: string | Buffer): Promise<string>;
}

/** Serves a handler for one test. */
export async function serveHandler(t: TestContext, handler: Handler): Promise<ServedHandler> {
  const requests: RequestEvent[] = [];
  const stop = new AbortController();
  const server = await serveHttp(handler, {
    host: '127.0.0.1',
    port: 0,
    signal: stop.signal,
    graceMs: 500,
    onEvent(event) {
      if (event.type === 'request') requests.push(event);
    },
  });
  t.after(() => server.close());
  return {
    origin: `http://127.0.0.1:${server.port}`,
    port: server.port,
    requests,
    raw: (bytes) => rawExchange(server.port, bytes),
  };
}

/** Writes bytes to a port of this machine and reads until the other end closes. */
export async function rawExchange(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** Resolves with an open connection. */
export async function openSocket(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Collects what a handler says, and waits for what it is going to say. */
export class Events {
  readonly all: HandlerEvent[] = [];
  readonly #wakes: Array<() => void> = [];

  readonly add = (event: HandlerEvent): void => {
    this.all.push(event);
    for (const wake of this.#wakes.splice(0)) wake();
  };

  /** The first event of a type that matches, now or later. */
  async find<Type extends HandlerEvent['type']>(
    type: Type,
    matches: (event: Extract<HandlerEvent, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<HandlerEvent, { type: Type }>> {
    for (;;) {
      for (const event of this.all) {
        if (event.type === type && matches(event as Extract<HandlerEvent, { type: Type }>)) {
          return event as Extract<HandlerEvent, { type: Type }>;
        }
      }
      const timer = AbortSignal.timeout(5000);
      await new Promise<void>((resolve, reject) => {
        this.#wakes.push(resolve);
        timer.onabort = () => reject(new Error(`no such ${type}: ${JSON.stringify(this.all)}`));
      });
    }
  }
}
