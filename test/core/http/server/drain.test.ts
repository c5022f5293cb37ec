import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { HttpResponse, IncomingRequest } from '../../../../src/core/http/messages.js';
import type { ServeOptions } from '../../../../src/core/http/server-types.js';
import { RawClient, start, type TestServer } from './raw.js';

const STOPPED = 'the server stopped before the answer was complete';

/** An answer with a beginning, and its request. */
function begin(type: string, body = new Readable({ read() {} })): HttpResponse & { body: Readable } {
  body.push('first');
  return { status: 200, headers: [['Content-Type', type]], body };
}

/** A client whose request has had the first of its answer. */
async function reading(port: number, path = '/', version = '1.1'): Promise<RawClient> {
  const client = new RawClient(port);
  client.send(`GET ${path} HTTP/${version}\r\nHost: a\r\n\r\n`);
  await client.until(/first/);
  return client;
}

function requests({ events }: TestServer) {
  return events.flatMap((event) => {
    if (event.type !== 'request') return [];
    const { status, aborted, error } = event;
    return [{ status, aborted, error }];
  });
}

/** A server whose handler ends its answer when it is told that nobody waits for it. */
async function obedient(
  t: TestContext,
  type: string,
  options: Partial<ServeOptions> = {},
  obey = (body: Readable, reason: Error): unknown => body.destroy(reason),
) {
  const told = Promise.withResolvers<string>();
  const answer = ({ signal }: IncomingRequest): HttpResponse => {
    const response = begin(type);
    signal.addEventListener('abort', () => {
      told.resolve((signal.reason as Error).message);
      obey(response.body, signal.reason);
    });
    return response;
  };
  return { told: told.promise, test: await start(t, answer, { graceMs: 60_000, ...options }) };
}

test('the handler of an event stream hears of the stop at once, and its answer ends in order', async (t) => {
  const { told, test: served } = await obedient(t, 'text/event-stream');
  const client = await reading(served.port);
  const closed = served.server.close();
  assert.equal(await told, STOPPED);
  assert.match(await client.toEnd(), /first\r\n0\r\n\r\n$/);
  await closed;
  assert.deepEqual(requests(served), [{ status: 200, aborted: undefined, error: undefined }]);
});

for (const http2 of [false, 'prior-knowledge'] as const) {
  const name = http2 === false ? '' : 'HTTP/2: ';
  test(`${name}an answer that only waits is told at half of the grace time; the log says why it is cut`, async (t) => {
    const { told, test: served } = await obedient(t, 'application/x-ndjson', { graceMs: 2000, http2 });
    if (http2 === false) await reading(served.port);
    else {
      const session = connectHttp2(`http://127.0.0.1:${served.port}`);
      t.after(() => session.destroy());
      const stream = session.request({ ':path': '/' });
      stream.on('error', () => {});
      await once(stream, 'data');
    }
    await Promise.all([served.server.close(), told]);
    assert.deepEqual(requests(served), [{ status: 200, aborted: true, error: STOPPED }]);
    assert.equal(served.events.at(-1)?.type, 'closed');
  });
}

test('who is told may still end in order, and then nothing was cut', async (t) => {
  const end = (body: Readable): void => {
    body.push('bye');
    body.push(null);
  };
  const { told, test: served } = await obedient(t, 'application/x-ndjson', { graceMs: 1000 }, end);
  const client = await reading(served.port);
  const closed = served.server.close();
  assert.equal(await told, STOPPED);
  assert.match(await client.toEnd(), /bye\r\n0\r\n\r\n$/);
  await closed;
  assert.deepEqual(requests(served), [{ status: 200, aborted: undefined, error: undefined }]);
});

test('an answer that flows has all of the grace time', async (t) => {
  const until = performance.now() + 1500;
  let isTold = false;
  const served = await start(
    t,
    ({ signal }) => {
      signal.addEventListener('abort', () => {
        isTold = true;
      });
      const body = new Readable({ read() {} });
      body.push('first');
      const timer = setInterval(() => {
        const isOver = performance.now() > until;
        body.push(isOver ? null : 'more');
        if (isOver) clearInterval(timer);
      }, 8);
      return { status: 200, headers: [], body };
    },
    { graceMs: 2500 },
  );
  const client = await reading(served.port);
  const closed = served.server.close();
  assert.match(await client.toEnd(), /\r\n0\r\n\r\n$/);
  await closed;
  assert.equal(isTold, false);
});

test('what outlives the grace time is cut and logged, with the status it had or 503', async (t) => {
  const begun = Promise.withResolvers<void>();
  const body = new Readable({ read() {} });
  const served = await start(
    t,
    ({ path }) => {
      if (path === '/streams') return begin('text/plain', body);
      begun.resolve();
      return new Promise(() => {});
    },
    { graceMs: 50, failuresOnly: true },
  );
  const old = await reading(served.port, '/streams', '1.0');
  const reset = once(old.socket, 'error');
  const waiting = new RawClient(served.port);
  waiting.send('GET /waits HTTP/1.1\r\nHost: a\r\n\r\n');
  await begun.promise;
  await served.server.close();
  assert.equal(await waiting.toEnd(), '');
  assert.equal(
    ((await reset)[0] as NodeJS.ErrnoException).code,
    'ECONNRESET',
    'half of it must not look whole',
  );
  const cut = { aborted: true, error: STOPPED };
  assert.deepEqual(
    requests(served).sort((a, b) => a.status - b.status),
    [
      { status: 200, ...cut },
      { status: 503, ...cut },
    ],
  );
});
