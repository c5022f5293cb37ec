import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type HostedApplication, hostPython, noSystemPython } from '../../../helpers/python.js';
import { ask, exchange, open } from '../../../helpers/raw-http.js';

const skip = noSystemPython;
const rules = (t: TestContext, options = {}): Promise<HostedApplication> =>
  hostPython(t, 'asgi_rules:app', options);

/** What the application has noted since it was last asked, once there is so much of it. */
async function said(port: number, count: number): Promise<string> {
  let notes: string[] = [];
  for (let attempt = 0; attempt < 60 && notes.length < count; attempt++) {
    const { text } = await ask(port, '/said');
    notes = notes.concat(text.slice(1, -1).split(', ').filter(Boolean));
    if (notes.length < count) await delay(20);
  }
  return notes.join(' ').replaceAll("'", '');
}

function connect(t: TestContext, { port }: HostedApplication, path: string): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  socket.on('error', () => {});
  t.after(() => socket.terminate());
  return socket;
}

test('messages out of order raise in the application, and the answer is none the worse', {
  skip,
}, async (t) => {
  const { port } = await rules(t);
  assert.equal((await ask(port, '/order')).text, 'ok');
  assert.equal(
    await said(port, 8),
    'RuntimeError RuntimeError ValueError accepted RuntimeError RuntimeError accepted RuntimeError',
  );
});

test('receive() may be given up and asked again', { skip }, async (t) => {
  const { port } = await rules(t);
  assert.equal((await ask(port, '/impatient', { method: 'POST', body: 'once' })).text, 'once');
  assert.equal(await said(port, 4), 'timeout timeout timeout http.disconnect');
});

test('an upload that breaks off is a disconnect', { skip }, async (t) => {
  const { port } = await rules(t);
  const socket = await open(port, 'POST /cut HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nsome');
  assert.equal(await said(port, 1), 'called');
  socket.resetAndDestroy();
  assert.equal(await said(port, 1), 'disconnect');
});

test('requests that come together are answered in order, whether their content was read or not', {
  skip,
}, async (t) => {
  const { port } = await rules(t);
  const content = 'x'.repeat(100_000);
  const requests = [
    `POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${content}`,
    'POST /unread HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    'GET /204 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /unread HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  ];
  const text = (await exchange(port, requests.join(''))).toString();
  assert.deepEqual(
    text.match(/HTTP\/1\.1 \d+/g),
    ['200', '200', '204', '200'].map((status) => `HTTP/1.1 ${status}`),
  );
  assert.doesNotMatch(text, /204[\s\S]*?content-length: 0[\s\S]*?HTTP/i);
});

test('100 Continue is sent when the application first asks for content, and never when it does not', {
  skip,
}, async (t) => {
  const { port } = await rules(t);
  const head = (path: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`;
  assert.match((await exchange(port, head('/unread'))).toString(), /^HTTP\/1\.1 200 /);
  const socket = await open(port, head('/impatient'));
  assert.equal(String((await once(socket, 'data'))[0]), 'HTTP/1.1 100 Continue\r\n\r\n');
  socket.write('told');
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200 [\s\S]*told$/);
});

test('zerocopysend takes files and descriptors, from where they stand or where it is told', {
  skip,
}, async (t) => {
  const { port } = await rules(t);
  assert.equal((await ask(port, '/parts')).text, '4567890189');
});

test('only what a connection can do is announced', { skip }, async (t) => {
  const { port, handler } = await rules(t, { prefix: '/' });
  const old = (await exchange(port, 'GET /scope HTTP/1.0\r\nTE: trailers\r\n\r\n')).toString();
  assert.doesNotMatch(old, /response\.(?:trailers|early_hint)/);
  assert.match(old, /'http\.response\.pathsend': \{\}/);
  assert.match(old, /'root_path': ''/);
  const response = await handler.handle({
    ...{ method: 'GET', target: '/scope', rawPath: '/scope', path: '/scope', query: '', httpVersion: '1.1' },
    ...{ scheme: 'http', headers: [], hasBody: false, body: Readable.from([]), peerAddress: '' },
    ...{ remoteAddress: '', remotePort: 0, localAddress: '', localPort: 0 },
    signal: new AbortController().signal,
  });
  assert.match(String(response.body), /'client': None/, 'a Unix socket has no address');
});

test('a WebSocket has its scope, and a context of its own', { skip }, async (t) => {
  const app = await rules(t);
  for (let round = 0; round < 2; round++) {
    const [scope] = await once(connect(t, app, '/scope?a=1'), 'message');
    assert.match(String(scope), /'type': 'websocket'.*'scheme': 'ws'.*'query_string': b'a=1'.*fresh$/);
    assert.match(String(scope), /'extensions': \{'websocket\.http\.response': \{\}\}/);
    assert.match(String(scope), /'subprotocols': \[\]/);
    assert.doesNotMatch(String(scope), /'method'/);
  }
});

test('WebSocket messages out of order raise in the application', { skip }, async (t) => {
  const app = await rules(t);
  await once(connect(t, app, '/early'), 'unexpected-response');
  assert.equal(await said(app.port, 1), 'RuntimeError');
  const socket = connect(t, app, '/wrong');
  assert.equal((await once(socket, 'close'))[0], 1000);
  assert.match(await said(app.port, 5), /^RuntimeError ValueError ValueError ValueError \w+$/);
});

test('sending to a WebSocket that is gone raises an OSError, and receive() goes on telling so', {
  skip,
}, async (t) => {
  const app = await rules(t);
  const socket = connect(t, app, '/gone');
  await once(socket, 'open');
  socket.terminate();
  assert.equal(await said(app.port, 3), '1006 OSError websocket.disconnect');
});

test('text that is no UTF-8 closes with 1007', { skip }, async (t) => {
  const app = await rules(t);
  const socket = connect(t, app, '/gone');
  await once(socket, 'open');
  socket.send(Buffer.from([0xff, 0xfe]), { binary: false });
  assert.equal((await once(socket, 'close'))[0], 1007);
});

test('an application without lifespan serves; one whose shutdown fails or hangs ends all the same', {
  skip,
}, async (t) => {
  const env = (LIFESPAN: string): object => ({ env: { ...process.env, LIFESPAN } });
  const failing = await rules(t, env('fails'));
  await failing.handler.close();
  const { line } = await failing.find('application-output');
  assert.match(line, /shutdown failed: the pool did not close/);
  const hanging = await rules(t, { ...env('hangs'), graceMs: 200 });
  const started = performance.now();
  await hanging.handler.close();
  assert.ok(performance.now() - started < 5000);
});
