import type { TestContext } from 'node:test';
import type { Handler } from '../../src/core/http/handler.js';
import { serveHttp } from '../../src/core/http/server/index.js';
import type { RequestEvent, RunningServer, ServerEvent } from '../../src/core/http/server-types.js';

/** A server under test. */
export interface TestServer extends RunningServer {
  /** Everything it has said so far. */
  readonly events: readonly ServerEvent[];
  /** The next request event nobody has taken yet; waits for it. */
  nextRequest(): Promise<RequestEvent>;
}

/** Serves a handler on a free port of 127.0.0.1 until the test is over. */
export async function serve(t: TestContext, handler: Handler, graceMs = 1000): Promise<TestServer> {
  const events: ServerEvent[] = [];
  const requests: RequestEvent[] = [];
  const waiting: Array<(event: RequestEvent) => void> = [];
  const server = await serveHttp(handler, {
    host: '127.0.0.1',
    port: 0,
    signal: new AbortController().signal,
    graceMs,
    onEvent(event) {
      events.push(event);
      if (event.type !== 'request') return;
      const taker = waiting.shift();
      if (taker === undefined) requests.push(event);
      else taker(event);
    },
  });
  t.after(() => server.close());
  return {
    ...server,
    events,
    async nextRequest() {
      return requests.shift() ?? new Promise((resolve) => waiting.push(resolve));
    },
  };
}
