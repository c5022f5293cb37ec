import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { HandlerEvent } from '../../src/core/handlers/handler-events.js';
import type { Handler } from '../../src/core/http/handler.js';
import type { HeaderPair, IncomingRequest } from '../../src/core/http/messages.js';
import { serveHttp } from '../../src/core/http/server/index.js';
import type { RequestEvent, RunningServer } from '../../src/core/http/server-types.js';
import { parseTarget } from '../../src/core/http/target.js';

/** A handler behind a real server on a free port, gone when the test is over. */
export interface ServedHandler {
  /** `http://127.0.0.1:port`, without a slash. */
  readonly origin: string;
  readonly port: number;
  readonly server: RunningServer;
  readonly requests: RequestEvent[];
  /** Writes bytes as they are and returns everything that comes back until the server closes. */
  raw(bytes: string | Buffer): Promise<string>;
}

/** Serves a handler for one test. */
export async function serveHandler(
  t: TestContext,
  handler: Handler,
  { graceMs = 500 }: { readonly graceMs?: number } = {},
): Promise<ServedHandler> {
  const requests: RequestEvent[] = [];
  const stop = new AbortController();
  const server = await serveHttp(handler, {
    host: '127.0.0.1',
    port: 0,
    signal: stop.signal,
    graceMs,
    onEvent(event) {
      if (event.type === 'request') requests.push(event);
    },
  });
  t.after(() => server.close());
  return {
    origin: `http://127.0.0.1:${server.port}`,
    port: server.port,
    server,
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

/** A message of node's as a request of ours. */
export function toIncomingRequest(
  req: IncomingMessage,
  over: Partial<IncomingRequest> = {},
): IncomingRequest {
  const target = req.url ?? '/';
  const headers: HeaderPair[] = [];
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    headers.push([req.rawHeaders[index] as string, req.rawHeaders[index + 1] as string]);
  }
  return { ...makeRequest({ target, headers, method: req.method ?? 'GET', body: req }), ...over };
}

/** A request out of thin air. */
export function makeRequest(over: Partial<IncomingRequest> = {}): IncomingRequest {
  const target = over.target ?? '/';
  const place = parseTarget(target) ?? { rawPath: '/', path: '/', query: '' };
  return {
    method: 'GET',
    target,
    ...place,
    httpVersion: '1.1',
    scheme: 'http',
    headers: [['Host', 'client.test']],
    body: Readable.from([]),
    remoteAddress: '192.0.2.7',
    remotePort: 4242,
    peerAddress: over.remoteAddress ?? '192.0.2.7',
    localAddress: '127.0.0.1',
    localPort: 80,
    signal: new AbortController().signal,
    ...over,
  };
}
