import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Handler } from '../../../../src/core/http/handler.js';
import type { HttpResponse, IncomingRequest } from '../../../../src/core/http/messages.js';
import { serveHttp } from '../../../../src/core/http/server/index.js';
import type { RunningServer, ServeOptions, ServerEvent } from '../../../../src/core/http/server-types.js';

/** A server for one test, and what it was asked and said. */
export interface TestServer {
  readonly server: RunningServer;
  readonly port: number;
  readonly seen: string[];
  readonly events: ServerEvent[];
}

type Answer = (request: IncomingRequest) => HttpResponse | Promise<HttpResponse>;

/** Text as an answer. */
export function text(body: string, status = 200): HttpResponse {
  return { status, headers: [['Content-Type', 'text/plain']], body };
}

/** Starts a server on a free port that is gone when the test is. */
export async function start(
  t: TestContext,
  answer: Answer | Handler = () => text('hello'),
  options: Partial<ServeOptions> = {},
): Promise<TestServer> {
  const seen: string[] = [];
  const events: ServerEvent[] = [];
  const handler = typeof answer === 'function' ? { handle: answer } : answer;
  const stop = new AbortController();
  const server = await serveHttp(
    {
      ...handler,
      handle(request) {
        seen.push(`${request.method} ${request.target}`);
        return handler.handle(request);
      },
    },
    {
      host: '127.0.0.1',
      port: 0,
      signal: stop.signal,
      graceMs: 100,
      onEvent: (event) => events.push(event),
      ...options,
    },
  );
  t.after(async () => {
    await server.close();
  });
  return { server, port: server.port, seen, events };
}

/** A client that says exactly what it is told to. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  ended = false;
  #changed: (() => void) | undefined;

  constructor(where: number | string) {
    this.socket =
      typeof where === 'number'
        ? connect({ port: where, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
        : connect({ path: where, allowHalfOpen: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (piece: string) => {
      this.received += piece;
      this.#changed?.();
    });
    this.socket.on('end', () => this.#over());
    this.socket.on('close', () => this.#over());
    this.socket.on('error', () => {});
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes, 'latin1');
  }

  /** Resolves with all that came once it matches. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      if (this.ended) throw new Error(`closed before ${pattern}: ${JSON.stringify(this.received)}`);
      await this.#change();
    }
    return this.received;
  }

  /** Resolves with all that came once the server has closed its side. */
  async toEnd(): Promise<string> {
    while (!this.ended) await this.#change();
    this.socket.destroy();
    return this.received;
  }

  #over(): void {
    this.ended = true;
    this.#changed?.();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }
}

/** Sends bytes and resolves with everything the server answers until it closes. */
export async function exchange(where: number | string, ...pieces: (string | Buffer)[]): Promise<string> {
  const client = new RawClient(where);
  await once(client.socket, 'connect');
  for (const piece of pieces) {
    client.send(piece);
    if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return client.toEnd();
}

/** The statuses of a series of answers. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/(?:^|\n|[^\d])HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
