import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import { hostJs, needsPackage, startJs } from '../../../helpers/js-application.js';
import { openSocket, rawExchange, serveHandler } from '../../../helpers/serve-handler.js';

const head = (path: string, method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;

async function bodyOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of answer.setEncoding('latin1')) text += chunk;
  return text;
}

/** What a test inside the application tells the one outside. */
function told<T>(name: string): Promise<T> {
  return new Promise<T>((resolve) => Object.assign(globalThis, { [name]: resolve }));
}

test("a Node listener gets node's own objects, on a socket that is the client's", async (t) => {
  const { origin, port } = await startJs(
    t,
    `import { IncomingMessage, ServerResponse } from 'node:http'; import { Socket } from 'node:net';
    const sockets = new Set();
    export default (req, res) => { sockets.add(req.socket); res.end(JSON.stringify({
      classes: [req instanceof IncomingMessage, res instanceof ServerResponse, req.socket instanceof Socket, req.socket === res.socket],
      ends: [req.socket.remoteAddress, req.socket.remoteFamily, req.socket.remotePort > 0, req.socket.localPort, req.socket.address()],
      rest: [req.method, req.url, req.httpVersion, req.headers['x-a'], req.rawHeaders.includes('X-A'), req.headersDistinct['x-a']],
      sockets: sockets.size, complete: req.complete })); }`,
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ask = async () => {
    const [answer] = await once(get(`${origin}/a%20b?c=d`, { agent, headers: { 'X-A': 'one' } }), 'response');
    return JSON.parse(await bodyOf(answer));
  };
  assert.deepEqual(await ask(), {
    classes: [true, true, true, true],
    ends: ['127.0.0.1', 'IPv4', true, port, { address: '127.0.0.1', family: 'IPv4', port }],
    rest: ['GET', '/a%20b?c=d', '1.1', 'one', true, ['one']],
    sockets: 1,
    complete: true,
  });
  assert.equal((await ask()).sockets, 1);
});

const HEADS = `export default (req, res) => {
  if (req.url === '/object') res.writeHead(201, { 'X-A': ['1', '2'], 'x-b': 3 }).end('whole');
  if (req.url === '/plain') res.end('whole');
  if (req.url === '/pairs') res.writeHead(200, 'Very fine', [['X-A', '1'], ['X-A', '2']]).end();
  if (req.url === '/mixed') { res.setHeader('X-A', '1'); res.writeHead(200, { 'X-B': '2' }); res.end(Buffer.from('bytes')); }
  if (req.url === '/turn') { res.write('one'); res.write('74776f', 'hex'); res.end('three', 'latin1'); }
  if (req.url === '/204') { res.statusCode = 204; res.end('nothing of this'); }
  if (req.url === '/close') { res.setHeader('Connection', 'close'); res.end(); }
  if (req.url === '/hints') { res.writeEarlyHints({ link: '</a.css>; rel=preload' }); res.end('after'); }
  if (req.url === '/trailers') { res.writeHead(200, { Trailer: 'X-T' }); res.write('a'); res.addTrailers({ 'X-T': 'v' }); res.end('b'); }
  if (req.url === '/bad') { try { res.writeHead(200, { 'X-A': 'a\\r\\nb' }); } catch (error) { res.end(error.code); } }
};`;

test('what a response is told is what is sent', async (t) => {
  const { raw } = await startJs(t, HEADS);
  const expected: Record<string, RegExp> = {
    '/object':
      /^HTTP\/1\.1 201 Created\r\n[\s\S]*X-A: 1\r\nX-A: 2\r\nx-b: 3\r\nContent-Length: 5\r\n[\s\S]*whole$/,
    '/pairs': /^HTTP\/1\.1 200 Very fine\r\n[\s\S]*X-A: 1\r\nX-A: 2\r\nContent-Length: 0\r\n/,
    '/mixed': /X-A: 1\r\nX-B: 2\r\nContent-Length: 5\r\n[\s\S]*bytes$/,
    '/turn': /Content-Length: 11\r\n[\s\S]*onetwothree$/,
    '/204': /^HTTP\/1\.1 204 No Content\r\n(?![\s\S]*nothing)/,
    '/hints':
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200[\s\S]*after$/,
    '/trailers': /Transfer-Encoding: chunked\r\n[\s\S]*\r\n0\r\nX-T: v\r\n\r\n$/,
    '/bad': /ERR_INVALID_CHAR$/,
  };
  for (const [path, pattern] of Object.entries(expected)) assert.match(await raw(head(path)), pattern, path);
  assert.match(await raw(head('/plain', 'HEAD')), /Content-Length: 5\r\n(?![\s\S]*whole)/);
  // Without being asked to, it closes where the application wants it.
  assert.match(await raw('GET /close HTTP/1.1\r\nHost: x\r\n\r\n'), /Connection: close\r\n/);
});

test('a request body comes no faster than it is read, with its trailers, and after 100 where that is waited for', async (t) => {
  const { port } = await startJs(
    t,
    `export default (req, res) => { let size = 0; req.on('data', (chunk) => { size += chunk.length; req.pause(); setImmediate(() => req.resume()); });
    req.on('end', () => res.end(JSON.stringify([size, req.trailers, req.complete, req.headers['transfer-encoding']]))); }`,
  );
  const sent = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    headers: { Expect: '100-continue', Trailer: 'X-T' },
  });
  sent.flushHeaders();
  await once(sent, 'continue');
  for (let piece = 0; piece < 20; piece += 1) sent.write(Buffer.alloc(100_000));
  sent.addTrailers({ 'X-T': 'v' });
  sent.end();
  const [answer] = await once(sent, 'response');
  assert.equal(await bodyOf(answer), '[2000000,{"x-t":"v"},true,"chunked"]');
});

test('writing stops while the client does not read, and `drain`, `finish` and `close` come when they should', async (t) => {
  const { port } = await startJs(
    t,
    `export default (req, res) => {
      const seen = []; let size = 0;
      for (const event of ['drain', 'finish', 'close']) res.once(event, () => seen.push(event));
      res.once('close', () => globalThis.seen([...seen, res.writableFinished, size]));
      const more = () => { do { size += 65536; } while (res.write(Buffer.alloc(65536)) && size < 2 ** 26);
        if (size < 2 ** 26) { globalThis.full?.(size); globalThis.full = undefined; res.once('drain', more); } else res.end(); };
      more();
    }`,
  );
  const full = told<number>('full');
  const seen = told<unknown[]>('seen');
  const [answer] = (await once(get({ port, host: '127.0.0.1' }), 'response')) as [IncomingMessage];
  assert.ok((await full) < 2 ** 24);
  assert.equal((await bodyOf(answer)).length, 2 ** 26);
  assert.deepEqual(await seen, ['drain', 'finish', 'close', true, 2 ** 26]);
});

test('a client that leaves ends the request, the response and the socket, and is no failure', async (t) => {
  const { port, events } = await startJs(
    t,
    `export default (req, res) => { const seen = [];
      req.on('aborted', () => seen.push('aborted')); res.on('close', () => seen.push(res.writableFinished));
      req.on('close', () => globalThis.left([...seen, req.socket.destroyed])); if (req.url === '/begun') res.write('x'); else globalThis.begun(); }`,
  );
  for (const [path, how] of [
    ['/', 'resetAndDestroy'],
    ['/begun', 'resetAndDestroy'],
    ['/begun', 'destroy'],
  ] as const) {
    const left = told<unknown[]>('left');
    const begun = told('begun');
    const socket = await openSocket(t, port);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await (path === '/' ? begun : once(socket, 'data'));
    socket[how]();
    assert.deepEqual(await left, ['aborted', false, true]);
  }
  assert.deepEqual(
    events.all.filter(({ type }) => type === 'application-error'),
    [],
  );
});

test('a listener may set a time-out, end the connection, or reject', async (t) => {
  const { origin, events } = await startJs(
    t,
    `export default async (req, res) => {
      if (req.url === '/slow') return res.setTimeout(30, () => { res.statusCode = 503; res.end('too slow'); });
      if (req.url === '/gone') return req.socket.destroy();
      throw new Error('the reason');
    }`,
  );
  const slow = await fetch(`${origin}/slow`);
  assert.deepEqual([slow.status, await slow.text()], [503, 'too slow']);
  assert.equal((await fetch(`${origin}/gone`)).status, 502);
  const failed = await fetch(origin);
  assert.equal(failed.status, 500);
  assert.doesNotMatch(await failed.text(), /reason/);
  await events.find('application-error', ({ message }) => /the reason/.test(message));
});

test('an upgrade that fails is 500, one that is left lying 504', async (t) => {
  const { handler } = await hostJs(
    t,
    `export default { fetch: () => new Response(), upgrade(req) { if (req.url === '/throw') throw new Error('no'); } }`,
    'app.mjs',
    { requestTimeoutMs: 50 },
  );
  const { port } = await serveHandler(t, handler);
  const ask = (path: string) =>
    rawExchange(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  assert.match(await ask('/throw'), /^HTTP\/1\.1 500/);
  assert.match(await ask('/'), /^HTTP\/1\.1 504/);
});

test(
  'Express serves files, sends several cookies and events, and keeps its errors off the page',
  needsPackage('express'),
  async (t) => {
    const { origin } = await startJs(
      t,
      `import express from 'express'; import { writeFileSync } from 'node:fs';
    writeFileSync(new URL('large.txt', import.meta.url), 'x'.repeat(1_000_000));
    const app = express(); app.use('/files', express.static(import.meta.dirname));
    app.get('/cookies', (req, res) => res.cookie('a', '1').cookie('b', '2').send('x'));
    app.get('/events', (req, res) => { res.set('Content-Type', 'text/event-stream').flushHeaders(); let at = 0;
      const next = () => { res.write('data: ' + at + '\\n\\n'); if (++at === 3) res.end(); else setTimeout(next, 20); }; setTimeout(next, 20); });
    app.get('/throw', async () => { throw new Error('the reason'); }); export default app;`,
    );
    assert.equal((await (await fetch(`${origin}/files/large.txt`)).text()).length, 1_000_000);
    const part = await fetch(`${origin}/files/large.txt`, { headers: { Range: 'bytes=5-9' } });
    assert.deepEqual([part.status, await part.text()], [206, 'xxxxx']);
    assert.deepEqual((await fetch(`${origin}/cookies`)).headers.getSetCookie(), [
      'a=1; Path=/',
      'b=2; Path=/',
    ]);
    assert.equal(await (await fetch(`${origin}/events`)).text(), 'data: 0\n\ndata: 1\n\ndata: 2\n\n');
    const failed = await fetch(`${origin}/throw`);
    assert.equal(failed.status, 500);
    assert.doesNotMatch(await failed.text(), /reason/);
  },
);
