import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { IncomingRequest } from '../../../../src/core/http/messages.js';
import type { RequestEvent, ServerEvent } from '../../../../src/core/http/server-types.js';
import { exchange, start, text } from './raw.js';

function served(request: IncomingRequest) {
  request.note?.({ queueMs: 0.0004, upstream: 'first' });
  request.note?.({ upstream: 'second', upstreamMs: 1.23456, reason: 'why' });
  return text('no', 502);
}

function check(events: readonly ServerEvent[]): void {
  const event = events.find((one): one is RequestEvent => one.type === 'request');
  assert.ok(event !== undefined);
  const { upstream, upstreamMs, reason, queueMs, handlerMs, error } = event;
  assert.deepEqual([upstream, upstreamMs, reason, error], ['second', 1.235, 'why', undefined]);
  assert.ok(queueMs >= 0 && handlerMs >= 0);
}

test('what a handler notes on a request stands in its event, of both versions', async (t) => {
  const one = await start(t, served);
  await exchange(one.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  check(one.events);
  const two = await start(t, served, { http2: 'prior-knowledge' });
  const session = connect(`http://127.0.0.1:${two.port}`);
  const stream = session.request({ ':path': '/' });
  stream.resume();
  await once(stream, 'close');
  session.close();
  await two.server.close();
  check(two.events);
});

test('the reason of a 500 is what the handler threw', async (t) => {
  const { port, events } = await start(t, () => {
    throw new Error('boom');
  });
  await exchange(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const event = events.find((one): one is RequestEvent => one.type === 'request');
  assert.deepEqual([event?.status, event?.reason, event?.error], [500, 'boom', 'boom']);
});

test('the reason of a refusal is what was wrong with the request', async (t) => {
  const { port, events } = await start(
    t,
    async ({ body }) => ({ status: 200, headers: [], body: await buffer(body) }),
    {
      limits: { maxBodyBytes: 10 },
    },
  );
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';
  await exchange(port, `${head}Transfer-Encoding: chunked\r\n\r\n14\r\n${'x'.repeat(20)}\r\n0\r\n\r\n`);
  await exchange(port, 'GET /\r\n\r\n');
  const told = events.flatMap((event) => (event.type === 'request' ? [[event.status, event.reason]] : []));
  assert.deepEqual(told, [
    [413, 'the body is too large'],
    [400, 'not a request line'],
  ]);
});
