import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { type HostedApplication, hostPython, noSystemPython } from '../../../helpers/python.js';
import { ask, exchange, open } from '../../../helpers/raw-http.js';

const skip = noSystemPython;
const traps = (t: TestContext, options = {}): Promise<HostedApplication> =>
  hostPython(t, 'wsgi_traps:application', options);

test('requests that come together are answered in order, whether their content was read or not', {
  skip,
}, async (t) => {
  const { port } = await traps(t);
  const requests = [
    `POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
    'POST /unread HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    'GET /generator HTTP/1.1\r\nHost: x\r\n\r\n',
    'HEAD /no-length HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlast',
  ];
  const text = (await exchange(port, requests.join(''))).toString();
  assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 5);
  assert.match(text, /unread[\s\S]*unread[\s\S]*1\r\na\r\n1\r\nb\r\n0\r\n[\s\S]*last$/);
});

test('a slow uploader holds no worker, and one that leaves never reaches the application', {
  skip,
}, async (t) => {
  const { port, handler } = await traps(t);
  const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n';
  const slow = await Promise.all(Array.from({ length: 10 }, () => open(port, `${head}some`)));
  assert.equal((await ask(port, '/no-length')).text, 'one part');
  assert.equal(handler.stats.active + handler.stats.queued, 0);
  for (const socket of slow) socket.resetAndDestroy();
  assert.equal((await ask(port, '/no-length')).text, 'one part');
  assert.equal(handler.stats.served, 2);
});

test('the environ is whole on a Unix socket, and tells of other workers', { skip }, async (t) => {
  const { handler } = await traps(t, { workers: 2 });
  const response = await handler.handle({
    ...{
      method: 'GET',
      target: '/environ',
      rawPath: '/environ',
      path: '/environ',
      query: '',
      httpVersion: '1.1',
    },
    ...{ scheme: 'https', headers: [], hasBody: false, body: Readable.from([]), peerAddress: '' },
    ...{ remoteAddress: '', remotePort: 0, localAddress: '', localPort: 0 },
    signal: new AbortController().signal,
  });
  const { values } = JSON.parse(String(response.body));
  assert.deepEqual([values.SERVER_NAME, values.SERVER_PORT, values.REMOTE_ADDR], ['localhost', '443', '']);
  assert.deepEqual([values['wsgi.url_scheme'], values.HTTPS], ['https', 'on']);
  assert.deepEqual([values['wsgi.multiprocess'], values['wsgi.multithread']], [true, false]);
});

test('files that are not what they seem are read, and all are closed, after HEAD too', {
  skip,
}, async (t) => {
  const { port } = await traps(t);
  assert.equal((await ask(port, '/file-lying')).text, 'what is read');
  assert.equal((await ask(port, '/file-pipe')).text, 'through a pipe');
  assert.equal((await ask(port, '/file-noted', { method: 'HEAD' })).body.length, 0);
  assert.equal((await ask(port, '/closed')).text, 'file file');
});

test('a length is told where there is content', { skip }, async (t) => {
  const { port } = await traps(t);
  assert.equal((await ask(port, '/204-length')).header('content-length'), undefined);
  // It may be told (RFC 9110, section 8.6); nginx leaves it out too, as clients have waited for that content.
  assert.equal((await ask(port, '/304-length')).header('content-length'), undefined);
  const old = (await exchange(port, 'GET /generator HTTP/1.0\r\n\r\n')).toString();
  assert.match(old, /\r\n\r\nab$/);
  assert.doesNotMatch(old, /transfer-encoding/i);
  const asked = await ask(port, '/environ', { method: 'POST', headers: { 'Content-Length': '0' } });
  assert.equal(JSON.parse(asked.text).values.CONTENT_LENGTH, '0');
});

test('content that is promised only after 100 Continue is asked for', { skip }, async (t) => {
  const { port } = await traps(t);
  const head =
    'POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n';
  const socket = await open(port, head);
  const [first] = await once(socket, 'data');
  assert.equal(String(first), 'HTTP/1.1 100 Continue\r\n\r\n');
  socket.write('told');
  const [answer] = await once(socket, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 200 [\s\S]*told$/);
});
