import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type HostedApplication, hostPython, noSystemPython, settled } from '../../../helpers/python.js';
import { ask } from '../../../helpers/raw-http.js';

const skip = noSystemPython;
const traps = (t: TestContext, options = {}): Promise<HostedApplication> =>
  hostPython(t, 'asgi_traps:app', options);

function connect(
  t: TestContext,
  { port }: HostedApplication,
  path: string,
  protocols: string[] = [],
): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols);
  socket.on('error', () => {});
  t.after(() => socket.terminate());
  return socket;
}

async function closeOf(socket: WebSocket): Promise<string> {
  const [code, reason] = await once(socket, 'close');
  return `${code} ${reason}`.trim();
}

/** The answer to a handshake that was refused. */
async function refusalOf(t: TestContext, app: HostedApplication, path: string): Promise<[number, string]> {
  const socket = connect(t, app, path);
  const [, response] = await once(socket, 'unexpected-response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return [response.statusCode, text];
}

test('text and bytes go both ways, with a sub-protocol, headers and compression', { skip }, async (t) => {
  const app = await traps(t);
  const socket = connect(t, app, '/ws', ['one', 'two']);
  const [[response]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  assert.equal(response.headers['x-accepted'], 'yes');
  assert.match(response.headers['sec-websocket-extensions'] ?? '', /permessage-deflate/);
  assert.equal(socket.protocol, 'two');
  for (const data of ['café', 'x'.repeat(100_000)]) {
    socket.send(data);
    const [message, isBinary] = await once(socket, 'message');
    assert.equal(String(message), data);
    assert.equal(isBinary, false);
  }
  socket.send(Buffer.alloc(200_000, 7));
  const [message, isBinary] = await once(socket, 'message');
  assert.ok(Buffer.alloc(200_000, 7).equals(message));
  assert.equal(isBinary, true);
});

test('messages sent before and right after the handshake arrive in order', { skip }, async (t) => {
  const app = await traps(t);
  const socket = connect(t, app, '/ws/greet');
  const [message] = await once(socket, 'message');
  assert.equal(String(message), 'hello');
  assert.equal(await closeOf(socket), '1000');
});

test('a refusal is 403, a denial what the application says, a failure 500', { skip }, async (t) => {
  const app = await traps(t);
  assert.equal((await refusalOf(t, app, '/ws/refuse'))[0], 403);
  assert.deepEqual(await refusalOf(t, app, '/ws/deny'), [401, 'who are you?']);
  assert.equal((await refusalOf(t, app, '/ws/fail'))[0], 500);
  assert.equal((await refusalOf(t, app, '/ws/return'))[0], 500);
  assert.equal((await refusalOf(t, app, '/ws/bad-protocol'))[0], 500);
  assert.equal((await ask(app.port, '/ok')).text, 'ok', 'the worker lives on');
});

test('close codes and reasons pass both ways', { skip }, async (t) => {
  const app = await traps(t);
  assert.equal(await closeOf(connect(t, app, '/ws/close')), '4001 enough');
  assert.equal(await closeOf(connect(t, app, '/ws/fail-open')), '1011 internal error');
  const polite = connect(t, app, '/ws');
  await once(polite, 'open');
  polite.close(3001, 'bye');
  await once(polite, 'close');
  const silent = connect(t, app, '/ws');
  await once(silent, 'open');
  silent.close();
  await once(silent, 'close');
  const gone = connect(t, app, '/ws');
  await once(gone, 'open');
  gone.terminate();
  for (let attempt = 0; attempt < 40; attempt++) {
    const { text } = await ask(app.port, '/events');
    if (text.includes("(3001, 'bye')") && text.includes('1005') && text.includes('1006')) return;
    await delay(50);
  }
  assert.fail((await ask(app.port, '/events')).text);
});

test('a message beyond the limit closes with 1009', { skip }, async (t) => {
  const app = await traps(t, { maxMessageBytes: 1000 });
  const socket = connect(t, app, '/ws');
  await once(socket, 'open');
  socket.send('x'.repeat(1001));
  assert.match(await closeOf(socket), /^1009/);
});

test('a broken handshake never reaches the application', { skip }, async (t) => {
  const { port } = await traps(t);
  const upgrade = { Connection: 'Upgrade, close', Upgrade: 'websocket' };
  const key = { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
  const old = await ask(port, '/ws', { headers: { ...upgrade, ...key, 'Sec-WebSocket-Version': '8' } });
  assert.equal(old.status, 426);
  assert.equal(old.header('Sec-WebSocket-Version'), '13');
  assert.equal(
    (await ask(port, '/ws', { headers: { ...upgrade, 'Sec-WebSocket-Version': '13' } })).status,
    400,
  );
});

test('a client that does not read holds back the application', { skip }, async (t) => {
  const app = await traps(t);
  const socket = connect(t, app, '/ws/flood');
  await once(socket, 'open');
  socket.pause();
  const sent = Number(/\d+/.exec(await settled(app, '/events'))?.[0]);
  assert.ok(sent > 0 && sent < 1500, `${sent} of 2000`);
});

test('an application that does not read holds back its client', { skip }, async (t) => {
  const app = await traps(t);
  const socket = connect(t, app, '/ws/slow');
  await once(socket, 'open');
  let count = 0;
  socket.on('message', () => count++);
  for (let number = 0; number < 300; number++) socket.send(Buffer.alloc(16_384, number));
  while (count < 300) await once(socket, 'message');
  assert.equal(count, 300);
});

test('a reload closes WebSockets with 1012, and clients come back to the new code', { skip }, async (t) => {
  const app = await traps(t);
  const socket = connect(t, app, '/ws');
  await once(socket, 'open');
  const closed = closeOf(socket);
  await app.handler.reload('test');
  assert.equal(await closed, '1012 service restart');
  const again = connect(t, app, '/ws');
  await once(again, 'open');
});

test('a server that stops closes WebSockets with 1012, before it waits for anything else', {
  skip,
}, async (t) => {
  const stop = new AbortController();
  const app = await traps(t, { signal: stop.signal });
  const socket = connect(t, app, '/ws');
  await once(socket, 'open');
  const closed = closeOf(socket);
  stop.abort();
  assert.equal(await closed, '1012 service restart');
  assert.equal((await ask(app.port, '/ok')).text, 'ok', 'the rest goes on');
});

test('WSGI answers an upgrade as an ordinary request', { skip }, async (t) => {
  const { port } = await hostPython(t, 'wsgi_traps:application');
  const headers = { Connection: 'Upgrade, close', Upgrade: 'websocket' };
  assert.equal((await ask(port, '/no-length', { headers })).status, 200);
});
