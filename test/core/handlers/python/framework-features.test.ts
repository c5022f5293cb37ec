import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createProxyHandler } from '../../../../src/core/handlers/proxy/index.js';
import { type HostedApplication, hostPython, SYSTEM_PYTHON, without } from '../../../helpers/python.js';
import { startPeer } from '../../../helpers/python-peers.js';
import { ask, open } from '../../../helpers/raw-http.js';
import { start } from '../../../helpers/run.js';
import { serveHandler } from '../../../helpers/serve-handler.js';

const APPS = resolve(import.meta.dirname, '../../../fixtures/apps/frameworks');
const host = (t: TestContext, target: string, options = {}): Promise<HostedApplication> =>
  hostPython(t, target, { cwd: APPS, ...options });

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A form with a file of so many bytes in it. */
function formWith(bytes: number): { readonly body: FormData; readonly sum: string } {
  const data = Buffer.alloc(bytes, 'nettool ');
  const body = new FormData();
  body.append('file', new Blob([data]), 'datei-ä.bin');
  body.append('note', 'größer');
  return { body, sum: sha256(data) };
}

async function heardOn(t: TestContext, socket: WebSocket, text: string): Promise<string> {
  socket.on('error', () => {});
  t.after(() => socket.terminate());
  await once(socket, 'open');
  const heard = once(socket, 'message');
  socket.send(text);
  return String((await heard)[0]);
}

test('Flask: streams, sessions, uploads, errors and temporary files', {
  skip: without('flask'),
}, async (t) => {
  const { get, port } = await host(t, 'flask_full.py', { prefix: '/shop' });
  assert.equal(await (await get('/shop/stream?word=hey')).text(), 'hey 0\nhey 1\nhey 2\n');
  const first = await ask(port, '/shop/count');
  const cookie = first.header('set-cookie')?.split(';')[0] ?? '';
  assert.deepEqual(JSON.parse((await ask(port, '/shop/count', { headers: { Cookie: cookie } })).text), {
    count: 2,
  });
  const { body, sum } = formWith(2_000_000);
  const upload = await get('/shop/upload', { method: 'POST', body });
  assert.deepEqual(await upload.json(), { name: 'datei-ä.bin', sum, note: 'größer' });
  const chunked = await get('/shop/raw', {
    method: 'POST',
    body: new Blob(['x'.repeat(90_000)]).stream(),
    duplex: 'half',
  } as RequestInit);
  assert.deepEqual(await chunked.json(), { size: 90_000, length: 90_000 });
  assert.equal((await get('/shop/abort/404')).status, 404);
  const teapot = await get('/shop/abort/418');
  assert.deepEqual([teapot.status, teapot.headers.get('x-pot')], [418, 'tea']);
  const file = await get('/shop/temporary');
  assert.match(file.headers.get('content-disposition') ?? '', /attachment; filename=x\.bin/);
  assert.equal((await file.arrayBuffer()).byteLength, 200_000);
  const where = JSON.parse((await ask(port, '/shop/where', { headers: { Host: 'shop.test' } })).text);
  assert.deepEqual(where, {
    url: 'http://shop.test/shop/where',
    root: '/shop',
    client: '127.0.0.1',
    secure: false,
  });
});

for (const kind of ['wsgi', 'asgi'] as const) {
  test(`Django (${kind}): its admin, a form with its token, 10 MB, streams and files`, {
    skip: without('django'),
  }, async (t) => {
    const { get, port, handler } = await host(t, 'django_full', { kind });
    assert.equal(handler.application.target, `django.core.${kind}:get_${kind}_application()`);
    const login = await get('/admin/login/');
    assert.match(await login.text(), /csrfmiddlewaretoken/);
    const { body, sum } = formWith(10_000_000);
    assert.deepEqual(await (await get('/upload', { method: 'POST', body })).json(), {
      size: 10_000_000,
      sum,
    });
    const page = await ask(port, '/form');
    const cookie = page.header('set-cookie')?.split(';')[0] ?? '';
    const content = `name=x&csrfmiddlewaretoken=${JSON.parse(page.text).token}`;
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', Cookie: cookie };
    assert.equal((await ask(port, '/form', { method: 'POST', headers, body: 'name=x' })).status, 403);
    assert.equal(
      (await ask(port, '/form', { method: 'POST', headers, body: content })).text,
      '{"name": "x"}',
    );
    assert.equal(await (await get('/stream')).text(), 'line 0\nline 1\nline 2\n');
    const source = await get('/source');
    assert.equal(await source.text(), readFileSync(`${APPS}/django_full/full/urls.py`, 'utf8'));
  });
}

test('Django behind a trusted proxy knows that it is secure; its admin has its style sheet beside it', {
  skip: without('django'),
}, async (t) => {
  const folder = '/static=/usr/lib/python3/dist-packages/django/contrib/admin/static';
  const flags = ['--python', SYSTEM_PYTHON, '--static', folder, '--trust-proxy', '127.0.0.1'];
  const command = start(['serve', 'django_full/manage.py', '0', ...flags], { cwd: APPS });
  t.after(() => command.stop());
  const { port } = await command.event('listening');
  assert.match((await ask(port, '/static/admin/css/base.css')).header('content-type') ?? '', /^text\/css/);
  const forwarded = { Host: 'shop.test', 'X-Forwarded-For': '192.0.2.7', 'X-Forwarded-Proto': 'https' };
  const where = JSON.parse((await ask(port, '/where', { headers: forwarded })).text);
  assert.deepEqual(where, {
    ...{ url: 'https://shop.test/where', secure: true, client: '192.0.2.7', kind: 'WSGIRequest' },
  });
  const page = await ask(port, '/form', { headers: forwarded });
  const body = `name=x&csrfmiddlewaretoken=${JSON.parse(page.text).token}`;
  const post = (site: string): ReturnType<typeof ask> => {
    const cookie = page.header('set-cookie')?.split(';')[0] ?? '';
    const type = 'application/x-www-form-urlencoded';
    // Of a secure site Django wants to know which page a form was sent from.
    const headers = { ...forwarded, Referer: `https://${site}/`, 'Content-Type': type, Cookie: cookie };
    return ask(port, '/form', { method: 'POST', headers, body });
  };
  assert.equal((await post('shop.test')).status, 200);
  assert.equal((await post('evil.test')).status, 403);
});

test('FastAPI: dependencies that end, background work, streams, uploads, a WebSocket, its shutdown', {
  skip: without('fastapi'),
}, async (t) => {
  const { get, port, handler, find } = await host(t, 'fastapi_full.py', { prefix: '/v1' });
  assert.deepEqual(await (await get('/v1/depends')).json(), { pool: 'open' });
  assert.equal((await get('/v1/depends?fail=1')).status, 409);
  assert.equal((await get('/v1/depends?fail=perhaps')).status, 422);
  const blocking = await ask(port, '/v1/blocking', { headers: { Host: 'api.test' } });
  assert.deepEqual(JSON.parse(blocking.text), { client: '127.0.0.1', url: 'http://api.test/v1/blocking' });
  assert.deepEqual(await (await get('/v1/later', { method: 'POST' })).json(), { accepted: true });
  let log: string[] = [];
  for (let attempt = 0; attempt < 50 && !log.includes('background'); attempt++) {
    await delay(20);
    log = (await (await get('/v1/log')).json()) as string[];
  }
  assert.equal(log.join(' '), 'opened closed opened closed opened closed background');
  assert.equal(await (await get('/v1/numbers')).text(), '0\n1\n2\n');
  assert.match(await (await get('/v1/docs')).text(), /\/v1\/openapi\.json/);
  assert.equal(((await (await get('/v1/openapi.json')).json()) as { openapi: string }).openapi[0], '3');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws/blue`, ['chat']);
  const heard = JSON.parse(await heardOn(t, socket, '{"a":1}'));
  assert.deepEqual(heard, { room: 'blue', heard: { a: 1 }, pool: 'open' });
  const refused = new WebSocket(`ws://127.0.0.1:${port}/v1/ws/closed`);
  refused.on('error', () => {});
  assert.equal((await once(refused, 'unexpected-response'))[1].statusCode, 403);
  await handler.close();
  await find('application-output', ({ line }) => line === 'pool closed after open');
});

test('Starlette: middleware, files by path, a mount, events that end with their reader', {
  skip: without('starlette'),
}, async (t) => {
  const { get, port } = await host(t, 'starlette_full.py', { prefix: '/app' });
  const source = readFileSync(`${APPS}/starlette_full.py`, 'utf8');
  const plain = await ask(port, '/app/file');
  assert.deepEqual([plain.text, plain.header('x-middleware')], [source, 'ran']);
  assert.equal((await ask(port, '/app/file', { method: 'HEAD' })).body.length, 0);
  const packed = await get('/app/file');
  assert.equal(packed.headers.get('content-encoding'), 'gzip');
  assert.equal(await packed.text(), source);
  assert.equal(await (await get('/app/echo', { method: 'DELETE' })).text(), 'DELETE');
  const where = JSON.parse((await ask(port, '/app/where', { headers: { Host: 's.test' } })).text);
  assert.equal(where.url, 'http://s.test/app/where');
  assert.equal(where.link, 'http://s.test/app/inner/where');
  const inner = JSON.parse((await ask(port, '/app/inner/where', { headers: { Host: 's.test' } })).text);
  assert.equal(inner.url, 'http://s.test/app/inner/where');
  const events = await open(port, 'GET /app/events HTTP/1.1\r\nHost: x\r\n\r\n');
  let text = '';
  while (!text.includes('data: 2')) text += String((await once(events, 'data'))[0]);
  events.destroy();
  for (let attempt = 0; attempt < 50; attempt++) {
    if ((await (await get('/app/left')).text()).includes('gone')) return;
    await delay(20);
  }
  assert.fail('the stream was never told that nobody reads it');
});

test('Falcon under ASGI: media, events, a WebSocket, its errors', { skip: without('falcon') }, async (t) => {
  const { get, port, handler } = await host(t, 'falcon_full.py');
  assert.deepEqual([handler.kind, handler.application.framework], ['asgi', 'falcon']);
  const headers = { 'Content-Type': 'application/json' };
  const echo = await get('/echo', { method: 'POST', headers, body: '{"a":[1]}' });
  assert.deepEqual(await echo.json(), { got: { a: [1] } });
  assert.equal(await (await get('/events')).text(), 'data: {"number": 0}\n\ndata: {"number": 1}\n\n');
  assert.equal((await get('/boom')).status, 422);
  assert.equal(await heardOn(t, new WebSocket(`ws://127.0.0.1:${port}/socket`), 'you'), 'heard you');
});

test('Bottle: uploads, files, generators and errors', { skip: without('bottle') }, async (t) => {
  const { get } = await host(t, 'bottle_full.py');
  const upload = await get('/upload', { method: 'POST', body: formWith(300_000).body });
  assert.deepEqual(await upload.json(), { name: 'datei-a.bin', size: 300_000, note: 'größer' });
  assert.equal(await (await get('/file')).text(), readFileSync(`${APPS}/bottle_full.py`, 'utf8'));
  assert.equal(await (await get('/parts')).text(), 'one two');
  assert.equal((await get('/abort')).status, 401);
});

test('Quart: JSON, streams and a WebSocket', { skip: without('quart') }, async (t) => {
  const { get, port, handler } = await host(t, 'quart_full.py');
  assert.deepEqual([handler.kind, handler.application.framework], ['asgi', 'quart']);
  const headers = { 'Content-Type': 'application/json' };
  assert.deepEqual(await (await get('/json', { method: 'POST', headers, body: '[1]' })).json(), { got: [1] });
  assert.equal(await (await get('/stream')).text(), '0 1 2 ');
  assert.equal(await heardOn(t, new WebSocket(`ws://127.0.0.1:${port}/socket`), 'you'), 'heard you');
});

test('Tornado, which is a server of its own, behind the proxy', { skip: without('tornado') }, async (t) => {
  const app = resolve(import.meta.dirname, '../../../../examples/python/tornado_app.py');
  const upstream = await startPeer(t, { program: SYSTEM_PYTHON, args: [app, '0'] });
  const handler = createProxyHandler({ upstreams: [`http://127.0.0.1:${upstream}`] });
  const { origin, port } = await serveHandler(t, handler);
  assert.equal(await (await fetch(origin)).text(), 'Hello from Tornado, 127.0.0.1\n');
  assert.equal(await heardOn(t, new WebSocket(`ws://127.0.0.1:${port}/echo`), 'you'), 'heard you');
});
