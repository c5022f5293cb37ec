import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createPythonHandler } from '../../../../src/core/handlers/python/index.js';
import { hostPython, noSystemPython, SYSTEM_PYTHON, without } from '../../../helpers/python.js';
import { ask, open } from '../../../helpers/raw-http.js';
import { tempDir } from '../../../helpers/temp-dir.js';
import { RawClient, start } from '../../http/server/raw.js';

/** Streams that begin and then wait, until the client has gone; `/told` waits for that too. */
const FEEDS = `
import asyncio
told = []
async def app(scope, receive, send):
    if scope["path"] == "/told":
        while not told:
            await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": told[0]})
    await receive()
    kind = scope["path"][1:].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    told.append((await receive())["type"].encode())
`;

const STARLETTE = `
import asyncio, sys
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

async def feed():
    yield b"first"
    try:
        await asyncio.sleep(60)
    finally:
        print("the feed was told", file=sys.stderr)

async def report():
    yield b"first"
    for _ in range(40):
        await asyncio.sleep(0.05)
        yield b"."
    yield b"last"

app = Starlette(routes=[
    Route("/events", lambda request: StreamingResponse(feed(), media_type="text/event-stream")),
    Route("/feed", lambda request: StreamingResponse(feed(), media_type="application/x-ndjson")),
    Route("/report", lambda request: StreamingResponse(report(), media_type="text/csv")),
])
`;

function written(t: TestContext, text: string): string {
  const file = join(tempDir(t), 'app.py');
  writeFileSync(file, text);
  return file;
}

test('an application is told of a client that closes while there is nothing to send', {
  skip: noSystemPython,
}, async (t) => {
  const { port } = await hostPython(t, written(t, FEEDS));
  const socket = await open(port, 'GET /text/plain HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  assert.equal((await ask(port, '/told')).text, 'http.disconnect');
});

test('a reload ends event streams in order, so that they come back to the new code', {
  skip: noSystemPython,
}, async (t) => {
  const { handler, port, find } = await hostPython(t, written(t, FEEDS), { graceMs: 60_000 });
  const client = new RawClient(port);
  client.send('GET /text/event-stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await client.until(/first/);
  await handler.reload('test');
  assert.match(await client.toEnd(), /first\r\n0\r\n\r\n$/);
  await find('worker', ({ state }) => state === 'stopped');
});

/** What Flask makes of a generator: a thread that writes until it is told that nobody hears it. */
const THREAD_FEED = `
import time
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    yield b"first"
    while True:
        time.sleep(0.01)
        yield b": still there\\n"
`;

test('an event stream of a WSGI application ends in order, and that is no failure', {
  skip: noSystemPython,
}, async (t) => {
  const { handler, port, find, events } = await hostPython(t, written(t, THREAD_FEED));
  const client = new RawClient(port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await client.until(/first/);
  await handler.reload('test');
  assert.match(await client.toEnd(), /\r\n0\r\n\r\n$/);
  await find('worker', ({ state }) => state === 'stopped');
  assert.deepEqual(
    events.filter(({ type }) => type === 'application-error'),
    [],
  );
});

test('a Starlette application that is stopped: feeds are told, a report is finished', {
  skip: without('starlette'),
}, async (t) => {
  const stop = new AbortController();
  const lines: string[] = [];
  const handler = await createPythonHandler({
    target: written(t, STARLETTE),
    cwd: process.cwd(),
    env: process.env,
    python: SYSTEM_PYTHON,
    signal: stop.signal,
    onEvent: (event) => event.type === 'application-output' && lines.push(event.line),
  });
  const { port, events, server } = await start(t, handler, { signal: stop.signal, graceMs: 4000 });
  const clients = ['/events', '/feed', '/report'].map((path) => {
    const client = new RawClient(port);
    client.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return client;
  });
  await Promise.all(clients.map((client) => client.until(/first/)));
  stop.abort();
  const [stream, feed, report] = await Promise.all(clients.map((client) => client.toEnd()));
  await server.closed;
  assert.match(stream as string, /first\r\n0\r\n\r\n$/);
  assert.match(feed as string, /first\r\n$/);
  assert.match(report as string, /last\r\n0\r\n\r\n$/);
  const cut = events.filter((event) => event.type === 'request' && event.aborted);
  assert.deepEqual(
    cut.map((event) => event.type === 'request' && [event.target, event.status, event.error]),
    [['/feed', 200, 'the server stopped before the answer was complete']],
  );
  assert.deepEqual(lines, ['the feed was told', 'the feed was told']);
});
