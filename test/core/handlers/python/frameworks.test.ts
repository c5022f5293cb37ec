import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import {
  type HostedApplication,
  hostPython,
  noSystemPython,
  SYSTEM_PYTHON,
  without,
} from '../../../helpers/python.js';

const EXAMPLES = resolve(import.meta.dirname, '../../../../examples/python');
const example = (t: TestContext, target: string, options = {}): Promise<HostedApplication> =>
  hostPython(t, target, { cwd: EXAMPLES, ...options });

test('the simple application of PEP 3333', { skip: noSystemPython }, async (t) => {
  const { get, handler, find } = await example(t, 'simple_app.py');
  assert.match((await find('application')).equivalent, /^simple_app\.py:application --wsgi --python \//);
  const answer = await get('/');
  assert.equal(await answer.text(), 'Hello world!\n');
  assert.equal(answer.headers.get('content-type'), 'text/plain');
  assert.equal(handler.application.target, 'simple_app:application');
});

test('ASGI by hand, with a server and without one', { skip: noSystemPython }, async (t) => {
  const { get } = await example(t, 'asgi_by_hand.py');
  assert.equal(await (await get('/x', { method: 'POST', body: 'content' })).text(), 'POST /x\ncontent');
  const printed = execFileSync(SYSTEM_PYTHON, [join(EXAMPLES, 'asgi_by_hand.py')], { encoding: 'utf8' });
  assert.match(printed, /http\.response\.start[\s\S]*POST \/hello\\nby hand/);
});

test('Flask', { skip: without('flask') }, async (t) => {
  const { get, handler } = await example(t, 'flask_app.py', { workers: 2 });
  assert.equal(handler.application.framework, 'flask');
  assert.equal(handler.kind, 'wsgi');
  assert.equal(await (await get('/')).text(), '<h1>Hello from Flask</h1>');
  const form = await get('/greet', { method: 'POST', body: new URLSearchParams({ name: 'Ada' }) });
  assert.deepEqual(await form.json(), { greeting: 'Hello, Ada' });
  const source = readFileSync(join(EXAMPLES, 'flask_app.py'), 'utf8');
  assert.equal(await (await get('/source')).text(), source);
  const part = await get('/source', { headers: { Range: 'bytes=2-8' } });
  assert.equal(part.status, 206);
  assert.equal(await part.text(), source.slice(2, 9));
  assert.equal((await get('/none')).status, 404);
});

test('Django, by its manage.py', { skip: without('django') }, async (t) => {
  const { get, find, handler } = await example(t, 'django_site');
  assert.equal(handler.application.target, 'shop.wsgi:application');
  assert.equal(handler.application.framework, 'django');
  const event = await find('application');
  assert.match(event.reason, /faster under WSGI/);
  assert.equal(event.equivalent, `django_site/manage.py --wsgi --python ${event.python}`);
  assert.equal(await (await get('/')).text(), '<h1>Hello from Django</h1>');
  const form = new FormData();
  form.append('file', new Blob(['x'.repeat(3_000_000)]), 'x.txt');
  assert.deepEqual(await (await get('/upload', { method: 'POST', body: form })).json(), { file: 3_000_000 });
});

test('Django under ASGI, when asked for', { skip: without('django') }, async (t) => {
  const { get, handler } = await example(t, 'django_site/manage.py', { kind: 'asgi' });
  assert.equal(handler.application.target, 'shop.asgi:application');
  assert.equal(await (await get('/')).text(), '<h1>Hello from Django</h1>');
});

test('FastAPI, with its documentation and 422 for what does not fit', {
  skip: without('fastapi'),
}, async (t) => {
  const { get, handler } = await example(t, 'fastapi_app.py');
  assert.equal(handler.application.framework, 'fastapi');
  assert.equal(handler.kind, 'asgi');
  assert.deepEqual(await (await get('/items/1')).json(), { name: 'bolt', price: 0.25 });
  assert.match(await (await get('/docs')).text(), /swagger-ui/);
  assert.equal((await get('/items/one')).status, 422);
  const json = { 'Content-Type': 'application/json' };
  const added = await get('/items', { method: 'POST', headers: json, body: '{"name":"nut","price":"0.1"}' });
  assert.equal(added.status, 201);
  assert.deepEqual(await added.json(), { number: 2, name: 'nut', price: 0.1 });
});

test('FastAPI below a prefix knows where it is', { skip: without('fastapi') }, async (t) => {
  const { get } = await example(t, 'fastapi_app.py', { prefix: '/shop' });
  assert.match(await (await get('/shop/docs')).text(), /\/shop\/openapi\.json/);
});

test('Starlette with a WebSocket', { skip: without('starlette') }, async (t) => {
  const { get, port } = await example(t, 'starlette_chat.py');
  assert.match(await (await get('/')).text(), /<title>Chat/);
  const sockets = [1, 2].map(() => new WebSocket(`ws://127.0.0.1:${port}/ws`));
  await Promise.all(sockets.map((socket) => once(socket, 'open')));
  const heard = Promise.all(sockets.map((socket) => once(socket, 'message')));
  sockets[0]?.send('hello all');
  for (const [message] of await heard) assert.equal(String(message), 'hello all');
  for (const socket of sockets) socket.close();
});

test('Falcon', { skip: without('falcon') }, async (t) => {
  const { get } = await example(t, 'falcon_app.py');
  const answer = await get('/quote');
  assert.equal(answer.headers.get('content-type'), 'application/json');
  assert.match(JSON.stringify(await answer.json()), /future/);
});

test('Bottle', { skip: without('bottle') }, async (t) => {
  const { get } = await example(t, 'bottle_app.py');
  assert.equal(await (await get('/hello/caf%C3%A9')).text(), 'Hello, café\n');
});
