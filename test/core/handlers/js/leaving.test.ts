import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { startJs } from '../../../helpers/js-application.js';
import { openSocket } from '../../../helpers/serve-handler.js';

const FEED = `export default { fetch: (request) => {
  request.signal.addEventListener('abort', () => globalThis.heard('signal'));
  return new Response(new ReadableStream({
    start: (stream) => stream.enqueue(new TextEncoder().encode('first')),
    cancel: () => globalThis.heard('cancel'),
  }), { headers: { 'Content-Type': new URL(request.url).pathname.slice(1) } });
} };`;

/** What the application hears, until it is all of that. */
function hears(...expected: string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const left = new Set(expected);
  Object.assign(globalThis, {
    heard: (word: string) => left.delete(word) && left.size === 0 && resolve(),
  });
  return promise;
}

test('an application hears of a client that closes while it has nothing to send', async (t) => {
  const { port, requests, events } = await startJs(t, FEED);
  const heard = hears('signal', 'cancel');
  const socket = await openSocket(t, port);
  socket.write('GET /text/plain HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  await heard;
  assert.deepEqual(
    requests.map(({ status, aborted, error }) => [status, aborted, error]),
    [[200, true, undefined]],
  );
  assert.deepEqual(
    events.all.filter(({ type }) => type === 'application-error'),
    [],
  );
});

test('an application hears that the server stops: at once in an event stream, else before its time is over', async (t) => {
  for (const type of ['text/event-stream', 'text/plain']) {
    const { port, server } = await startJs(t, FEED);
    const heard = hears('signal', 'cancel');
    const socket = await openSocket(t, port);
    socket.write(`GET /${type} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    await Promise.all([server.close(), heard]);
  }
});
