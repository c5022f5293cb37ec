import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { createJsHandler } from '../../../../src/core/handlers/js/index.js';
import { testHandlerContract } from '../../../helpers/handler-contract.js';
import { hostJs as host, needsPackage, startJs as start } from '../../../helpers/js-application.js';
import { openSocket, rawExchange, serveHandler } from '../../../helpers/serve-handler.js';

const create = (text: string) => async (t: TestContext) => (await host(t, text)).handler;

testHandlerContract('a fetch application', {
  create: create(`export default { async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/small') return new Response('small', { headers: { 'content-length': '5' } });
    if (pathname === '/large') return new Response(new Uint8Array(20_000_000));
    if (pathname === '/echo') return new Response(request.body);
    if (pathname === '/cookies') { const r = new Response('x'); r.headers.append('set-cookie', 'a=1'); r.headers.append('set-cookie', 'b=2'); return r; }
    return new Response(null, { status: 404 });
  } }`),
  small: { path: '/small', body: 'small' },
  large: { path: '/large', sizeBytes: 20_000_000 },
  missing: '/nothing',
  echo: '/echo',
  repeated: { path: '/cookies', name: 'set-cookie', values: ['a=1', 'b=2'] },
});

testHandlerContract('a Node listener', {
  create: create(`export default (req, res) => {
    if (req.url === '/small') { res.setHeader('Content-Length', 5); res.end('small'); }
    else if (req.url === '/large') res.end(Buffer.alloc(20_000_000));
    else if (req.url === '/echo') req.pipe(res);
    else if (req.url === '/cookies') res.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end();
    else { res.statusCode = 404; res.end(); }
  }`),
  small: { path: '/small', body: 'small' },
  large: { path: '/large', sizeBytes: 20_000_000 },
  missing: '/nothing',
  echo: '/echo',
  repeated: { path: '/cookies', name: 'Set-Cookie', values: ['a=1', 'b=2'] },
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly isRequest: boolean;
  readonly copy: string;
  readonly clone: string;
  readonly text: string;
  readonly env: { readonly address: string };
  readonly headers: Readonly<Record<string, string>>;
}

const INSPECT = `export default { async fetch(request, env, context) {
  const { method, url, bodyUsed, redirect } = request;
  return Response.json({ method, url, bodyUsed, redirect, isRequest: request instanceof Request, headers: Object.fromEntries(request.headers),
    env: { address: env.remoteAddress }, waits: typeof context.waitUntil, copy: new Request(request.clone()).headers.get('x-a'),
    clone: request.clone().method, text: method === 'POST' ? await request.text() : null });
} }`;

test('a fetch application gets a request like any other', async (t) => {
  const { origin } = await start(t, INSPECT);
  const seen = (await (
    await fetch(`${origin}/a%20b?q=%41`, {
      method: 'POST',
      body: 'content',
      headers: { 'X-A': 'one', 'X-Forwarded-For': '6.6.6.6' },
    })
  ).json()) as Seen;
  assert.equal(seen.url, `${origin}/a%20b?q=%41`);
  assert.equal(seen.method, 'POST');
  assert.equal(seen.isRequest, true);
  assert.equal(seen.copy, 'one');
  assert.equal(seen.clone, 'POST');
  assert.equal(seen.text, 'content');
  assert.equal(seen.env.address, '127.0.0.1');
  assert.equal(seen.headers['x-forwarded-for'], undefined);
  assert.equal(seen.headers['x-a'], 'one');
});

test('URLs are written as the URL parser writes them', async (t) => {
  const { raw } = await start(t, 'export default { fetch: (request) => new Response(request.url) }');
  for (const [target, hostName, expected] of [
    ['/a/../b', 'h.test', 'http://h.test/b'],
    ['/%2e%2e/b', 'h.test', 'http://h.test/b'],
    ['/a/%2E./b', 'h.test', 'http://h.test/b'],
    ['/', 'H.Test:80', 'http://h.test/'],
    ['/a//b/?x=1', 'h.test', 'http://h.test/a//b/?x=1'],
    ['/a{b}"', 'h.test:8080', 'http://h.test:8080/a%7Bb%7D%22'],
  ] as const) {
    const answer = await raw(`GET ${target} HTTP/1.1\r\nHost: ${hostName}\r\nConnection: close\r\n\r\n`);
    assert.ok(answer.endsWith(`\r\n\r\n${expected}`), `${target}: ${answer}`);
  }
});

test('an answer of text has its length, one that is produced is streamed', async (t) => {
  const { raw } = await start(
    t,
    `export default { fetch(request) {
      if (request.url.endsWith('/text')) return new Response('whole');
      return new Response(new ReadableStream({ async start(c) {
        for (const bit of ['one', 'two']) { await new Promise((r) => setTimeout(r, 20)); c.enqueue(new TextEncoder().encode(bit)); }
        c.close(); } }));
    } }`,
  );
  const ask = (path: string) => raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  assert.match(await ask('/text'), /content-length: 5\r\n/i);
  assert.match(await ask('/stream'), /transfer-encoding: chunked\r\n[\s\S]*\r\n3\r\none\r\n3\r\ntwo\r\n/i);
});

test('the handler of Astro is a Node listener, whatever arguments it names', async (t) => {
  const { handler } = await host(
    t,
    'export const options = {}; export function startServer() {}; export const handler = async (...[req, res]) => res.end(req.url);',
  );
  const { origin } = await serveHandler(t, handler);
  assert.equal(await (await fetch(`${origin}/x?y`)).text(), '/x?y');
});

test('what an application gets wrong is 500, with the reason in the log alone', async (t) => {
  const { origin, events } = await start(
    t,
    `export default { async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === '/throw') throw new Error('the reason');
      if (pathname === '/nothing') return undefined;
      if (pathname === '/error') return Response.error();
      if (pathname === '/late') await new Promise((r) => request.signal.addEventListener('abort', r));
      if (pathname === '/late') { globalThis.sawAbort = true; return new Response('x'); }
      setTimeout(() => { throw new Error('nobody catches this'); }, 1);
      return new Response('fine');
    } }`,
    'app.mjs',
    { requestTimeoutMs: 200 },
  );
  for (const path of ['/throw', '/nothing', '/error']) {
    const response = await fetch(origin + path);
    assert.equal(response.status, 500, path);
    assert.doesNotMatch(await response.text(), /reason/);
  }
  const event = await events.find('application-error');
  assert.match(event.message, /the reason\n\s+at .*app\.mjs/);
  assert.equal((await fetch(`${origin}/late`)).status, 504);
  assert.equal((globalThis as { sawAbort?: boolean }).sawAbort, true);
});

test('an application sees the client leave', async (t) => {
  const { port } = await start(
    t,
    `export default { fetch(request) { return new Promise(() => request.signal.addEventListener('abort', () => globalThis.left())); } }`,
  );
  const left = new Promise<void>((resolve) => Object.assign(globalThis, { left: resolve }));
  const socket = await openSocket(t, port);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await left;
});

test('a stream nobody reads any more is cancelled', async (t) => {
  const { port } = await start(
    t,
    `export default { fetch: () => new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536)); }, cancel() { globalThis.cancelled(); } })) }`,
  );
  const cancelled = new Promise<void>((resolve) => Object.assign(globalThis, { cancelled: resolve }));
  const socket = await openSocket(t, port);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  await cancelled;
});

test('what cannot be loaded says why and what to do', async (t) => {
  for (const [name, text, message, hint] of [
    ['syntax.mjs', 'export default {', /cannot load syntax\.mjs: Unexpected/, undefined],
    ['line.mjs', "\n\nexport default ['a' 'b'];", /^cannot load line\.mjs: .* \(line\.mjs:3\)$/, undefined],
    ['throws.mjs', 'throw new Error("at start")', /cannot load throws\.mjs: at start/, undefined],
    ['missing.mjs', 'import "not-there"', /cannot load missing\.mjs: Cannot find package/, /npm install/],
    ['none.mjs', 'export const x = 1', /exports nothing that can be served/, /export default/],
  ] as const) {
    await assert.rejects(host(t, text, name), (error: { code: string; message: string; hint?: string }) => {
      assert.equal(error.code, 'INTERNAL');
      assert.match(error.message, message);
      if (hint !== undefined) assert.match(error.hint ?? '', hint);
      return true;
    });
  }
  await assert.rejects(host(t, '', 'silent.mjs', { bootTimeoutMs: 50 }), /nothing that can be served/);
});

const HELLO = { GET: 'hello 127.0.0.1 http' };

const FRAMEWORKS: Readonly<Record<string, readonly [name: string, text: string]>> = {
  express: [
    'app.mjs',
    `import express from 'express'; const app = express(); app.use(express.json());
    app.get('/', (req, res) => res.send('hello ' + req.ip + ' ' + req.protocol)); app.post('/', (req, res) => res.json(req.body)); export default app;`,
  ],
  koa: [
    'app.mjs',
    `import Koa from 'koa'; const app = new Koa();
    app.use(async (ctx) => { if (ctx.method === 'POST') { ctx.req.setEncoding('utf8'); let s = ''; for await (const c of ctx.req) s += c; ctx.type = 'json'; ctx.body = s; } else ctx.body = 'hello ' + ctx.ip + ' ' + ctx.protocol; }); export default app;`,
  ],
  fastify: [
    'app.mjs',
    `import fastify from 'fastify'; const app = fastify();
    app.get('/', async (req) => 'hello ' + req.ip + ' ' + req.protocol); app.post('/', async (req) => req.body); export default app;`,
  ],
  hono: [
    'app.mjs',
    `import { Hono } from 'hono'; const app = new Hono();
    app.get('/', (c) => c.text('hello ' + c.env.remoteAddress + ' ' + new URL(c.req.url).protocol.slice(0, -1))); app.post('/', async (c) => c.json(await c.req.json())); export default app;`,
  ],
  h3: [
    'app.mjs',
    `import { H3 } from 'h3'; const app = new H3();
    app.get('/', () => 'hello 127.0.0.1 http').post('/', async (e) => await e.req.json()); export default app;`,
  ],
};

for (const [framework, [name, text]] of Object.entries(FRAMEWORKS)) {
  test(`${framework} runs unchanged`, needsPackage(framework), async (t) => {
    const { origin } = await start(t, text, name);
    assert.equal(await (await fetch(origin)).text(), HELLO.GET);
    const body = JSON.stringify({ a: [1, 2], text: 'é'.repeat(40_000) });
    const answer = await fetch(origin, {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json' },
    });
    assert.deepEqual(await answer.json(), JSON.parse(body));
    assert.equal((await fetch(`${origin}/nothing`, { method: 'DELETE' })).status >= 200, true);
    const many = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(origin)).text()));
    assert.deepEqual(new Set(many), new Set([HELLO.GET]));
  });
}

test('a port is told as the application asked for it, and what is not served is said', async (t) => {
  const { events } = await start(
    t,
    `import { createServer } from 'node:http'; const s = createServer(() => {});
    s.listen({ port: 4000 }, () => { globalThis.asked = s.address().port; }); export default s;`,
  );
  assert.equal((globalThis as { asked?: number }).asked, 4000);
  assert.equal((await events.find('application')).kind, 'node');
  const bun = await start(
    t,
    'export default { fetch: () => new Response("x"), websocket: { message() {} } }',
  );
  await bun.events.find('application-log', ({ text }) => /crossws/.test(text));
  await assert.rejects(createJsHandler({ file: '/no/such/app.mjs' }), { code: 'INPUT_FAILED' });
});

test('an application that opens its own port is served on ours', async (t) => {
  const listening = `import { createServer } from 'node:http';
    const server = createServer((req, res) => res.end('caught')); await 0;
    server.listen(3000, () => { globalThis.told = server.address().port; });`;
  const { origin } = await start(t, listening);
  assert.equal(await (await fetch(origin)).text(), 'caught');
  assert.equal((globalThis as { told?: number }).told, 3000);
  const later = await start(
    t,
    `const { createServer } = require('node:http'); setTimeout(() => createServer((q, s) => s.end('late')).listen(80), 30);`,
    'app.cjs',
  );
  assert.equal(await (await fetch(later.origin)).text(), 'late');
});

const SOCKETS = `import { WebSocketServer } from 'ws';
const sockets = new WebSocketServer({ noServer: true });
const upgrade = (req, socket, head) => sockets.handleUpgrade(req, socket, head, (ws) => {
  ws.send('hello ' + req.socket.remoteAddress + ' ' + req.url); ws.on('message', (data) => ws.send(data)); });
`;

for (const [kind, text] of [
  ['a fetch application', `${SOCKETS} export default { fetch: () => new Response('x'), upgrade };`],
  ['a Node listener', `${SOCKETS} export default (req, res) => res.end('x'); export { upgrade };`],
  [
    'its own server',
    `${SOCKETS} import { createServer } from 'node:http'; const s = createServer(); s.on('upgrade', upgrade); export default s;`,
  ],
] as const) {
  test(`${kind} takes WebSockets`, async (t) => {
    const { handler } = await host(t, text);
    const { port } = await serveHandler(t, handler);
    const client = new WebSocket(`ws://127.0.0.1:${port}/room`);
    const [hello] = await once(client, 'message');
    assert.equal(String(hello), 'hello 127.0.0.1 /room');
    client.send('and back');
    assert.equal(String((await once(client, 'message'))[0]), 'and back');
    client.close();
    await once(client, 'close');
  });
}

test('an upgrade that an application does not take ends', async (t) => {
  const { handler } = await host(
    t,
    'export default { fetch: () => new Response("x"), upgrade: (req, socket) => socket.end("HTTP/1.1 401 No\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n") };',
  );
  const { port } = await serveHandler(t, handler);
  const answer = await rawExchange(
    port,
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 401/);
});

test('a Node listener that never answers is 504, one that breaks off shows it', async (t) => {
  const { origin } = await start(
    t,
    `export default (req, res) => { if (req.url === '/break') { res.writeHead(200, { 'Content-Length': 10 }); res.write('half'); setTimeout(() => res.destroy(), 150); } }`,
    'app.mjs',
    { requestTimeoutMs: 200 },
  );
  assert.equal((await fetch(origin)).status, 504);
  await assert.rejects(fetch(`${origin}/break`).then((response) => response.text()));
});

test('the loader finds packages beside the application, also from CommonJS', async (t) => {
  const { origin } = await start(
    t,
    `const ws = require('ws'); module.exports = (req, res) => res.end(typeof ws.WebSocketServer);`,
    'app.cjs',
  );
  assert.equal(await (await fetch(origin)).text(), 'function');
});
