import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { createProxyHandler } from '../../../../src/core/handlers/proxy/index.js';
import { openSocket, serveHandler } from '../../../helpers/serve-handler.js';
import { startUpstream } from '../../../helpers/upstreams.js';

/** A proxy before node's own server, which answers as the path says. */
async function startBefore(t: TestContext) {
  const upstream = await startUpstream(t, (req, res) => {
    let size = 0;
    switch (req.url) {
      case '/304':
        res.writeHead(304, { ETag: '"a"', 'Content-Length': 10 }).end();
        break;
      case '/204':
        res.writeHead(204, { 'X-A': 'b' }).end();
        break;
      case '/echo':
        req.on('data', (chunk: Buffer) => {
          size += chunk.length;
        });
        req.on('end', () => res.end(`${req.headers.expect ?? 'nothing'} ${size}`));
        break;
      case '/413':
        res.writeHead(413, { Connection: 'close' }).end('large');
        break;
      default:
        res.writeHead(200, { 'Content-Length': 5 }).end('hello');
    }
  });
  return serveHandler(t, createProxyHandler({ upstreams: [upstream.url] }));
}

const request = (line: string, fields = '') =>
  `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`;

test('answers without content have none, and keep what they say about it', async (t) => {
  const { raw } = await startBefore(t);
  const head = await raw(request('HEAD /'));
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*Content-Length: 5\r\n(?:.+\r\n)*\r\n$/);
  const unchanged = await raw(request('GET /304'));
  assert.match(unchanged, /^HTTP\/1\.1 304 Not Modified\r\nETag: "a"\r\n(?:.+\r\n)*\r\n$/);
  const empty = await raw(request('GET /204'));
  assert.match(empty, /^HTTP\/1\.1 204 No Content\r\n(?:.+\r\n)*\r\n$/);
  assert.doesNotMatch(empty, /Content-Length|Transfer-Encoding/);
});

test('100 Continue is ours to say, and the upstream is not asked for it', async (t) => {
  const { port } = await startBefore(t);
  const socket = await openSocket(t, port);
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  socket.write(request('POST /echo', 'Expect: 100-continue\r\nContent-Length: 3\r\n'));
  await once(socket, 'data');
  assert.equal(said, 'HTTP/1.1 100 Continue\r\n\r\n');
  socket.write('abc');
  await once(socket, 'close');
  assert.match(said, /\r\n\r\nnothing 3$/);
});

/** What two servers could take for different requests: one of them could be made to see one that was never sent. */
const HOSTILE: Readonly<Record<string, string>> = {
  'two lengths': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
  'two equal lengths': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
  'a length and chunks':
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a coding that hides': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  'a coding behind a tab': 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n',
  'two codings':
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n',
  'chunks in HTTP/1.0': 'POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a space before the colon': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc',
  'a folded field': 'POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 3\r\n\r\nabc',
  'a bare line feed': 'GET / HTTP/1.1\nHost: x\n\n',
  'a bare carriage return': 'GET / HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 3\r\n\r\n',
  'a signed length': 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc',
  'two hosts': 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
  'a space in the target': 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n',
  'a fragment': 'GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n',
};

test('requests two could read differently never reach the upstream', async (t) => {
  let requests = 0;
  const upstream = await startUpstream(t, (_req, res) => {
    requests += 1;
    res.end();
  });
  const { port } = await serveHandler(t, createProxyHandler({ upstreams: [upstream.url] }));
  for (const [name, bytes] of Object.entries(HOSTILE)) {
    const socket = await openSocket(t, port);
    socket.write(bytes, 'latin1');
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 (?:400|501) (?:.+\r\n)*Connection: close\r\n/, name);
    socket.destroy();
  }
  assert.equal(requests, 0);
});

test('nobody can have an upstream taken for broken by what they ask for', async (t) => {
  const upstream = await startUpstream(t, (_req, res) => res.end());
  const events: string[] = [];
  const handler = createProxyHandler({
    upstreams: [`${upstream.url}/base`, `${upstream.url}/base`],
    onEvent: ({ type }) => events.push(type),
  });
  const { raw } = await serveHandler(t, handler);
  assert.match(await raw(request('OPTIONS *')), /^HTTP\/1\.1 502 /);
  assert.deepEqual(events, ['application-error']);
});

test('a request that could have content and has none says so', async (t) => {
  const upstream = await startUpstream(t, (req, res) =>
    res.end(`${req.method} ${req.headers['content-length'] ?? req.headers['transfer-encoding']}`),
  );
  const { raw } = await serveHandler(t, createProxyHandler({ upstreams: [upstream.url] }));
  assert.match(await raw(request('POST /', 'Content-Length: 0\r\n')), /POST 0$/);
  assert.match(await raw(request('PUT /')), /PUT 0$/);
  assert.match(await raw(request('GET /')), /GET undefined$/);
});

test('an upstream that wants no more of a long upload is heard', async (t) => {
  const { port } = await startBefore(t);
  const socket = await openSocket(t, port);
  socket.write(request('POST /413', 'Content-Length: 50000000\r\n'));
  const [answer] = await once(socket, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 413 Payload Too Large\r\n/);
});

test('an event is passed on when it is sent, and a client that left ends the sending', async (t) => {
  let events: ServerResponse | undefined;
  const upstream = await startUpstream(t, (_req, res) => {
    events = res;
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
  });
  const { port } = await serveHandler(t, createProxyHandler({ upstreams: [upstream.url] }));
  const socket = await openSocket(t, port);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  let said = '';
  const until = async (text: string): Promise<void> => {
    while (!said.includes(text)) said += String((await once(socket, 'data'))[0]);
  };
  await until('data: 1\n\n');
  events?.write('data: 2\n\n');
  await until('data: 2\n\n');
  socket.destroy();
  // Though there is nothing to send that it would not take.
  await once(events as ServerResponse, 'close');
});

test('content that breaks off is never ended as if it were whole', async (t) => {
  const upstream = await startUpstream(t, (req, res) => {
    if (req.url === '/length') res.setHeader('Content-Length', 100);
    res.write('part', () => setImmediate(() => res.destroy()));
  });
  const { raw } = await serveHandler(t, createProxyHandler({ upstreams: [upstream.url] }));
  const [chunked, counted] = [await raw(request('GET /chunks')), await raw(request('GET /length'))];
  // Where the upstream was heard at all before it broke.
  if (chunked.startsWith('HTTP/1.1 200')) assert.match(chunked, /\r\n4\r\npart\r\n$/);
  if (counted.startsWith('HTTP/1.1 200'))
    assert.match(counted, /Content-Length: 100\r\n(?:.+\r\n)*\r\n(?:part)?$/);
});

test('the Destination of WebDAV is on the upstream, as it sees itself', async (t) => {
  const upstream = await startUpstream(t, (req, res) => res.end(req.headers.destination));
  const ask = async (base: string, prefix: string, destination: string, upstreamHost = '') => {
    const host = upstreamHost === '' ? {} : { upstreamHost };
    const handler = createProxyHandler({ upstreams: [upstream.url + base], prefix, ...host });
    const { raw } = await serveHandler(t, handler);
    const answer = await raw(request(`MOVE ${prefix}/a`, `Destination: ${destination}\r\n`));
    return answer.slice(answer.indexOf('\r\n\r\n') + 4);
  };
  assert.equal(await ask('', '', 'https://X/b%20c'), 'http://x/b%20c');
  assert.equal(await ask('', '/dav', 'https://x/dav/b'), 'http://x/dav/b');
  assert.equal(await ask('/v1', '/dav', 'http://x/dav/b'), 'http://x/v1/b');
  assert.equal(await ask('', '', 'https://x/b', 'y:81'), 'http://y:81/b');
  assert.equal(await ask('', '', 'https://elsewhere.test/b'), 'https://elsewhere.test/b');
  // CouchDB's is the name of a document.
  assert.equal(await ask('', '', 'b'), 'b');
});

test('a connection that a user may have logged in on is nobody else’s', async (t) => {
  const upstream = await startUpstream(t, (_req, res) => res.end('ok'));
  const { raw } = await serveHandler(t, createProxyHandler({ upstreams: [upstream.url] }));
  const connectionsAfter = async (authorization: string) => {
    await raw(request('GET /', `Authorization: ${authorization}\r\n`));
    return upstream.connections();
  };
  assert.equal(await connectionsAfter('Basic YTpi'), 1);
  assert.equal(await connectionsAfter('NTLM TlRMTVNTUAAB'), 1);
  assert.equal(await connectionsAfter('negotiate YII'), 2);
  assert.equal(await connectionsAfter('Basic YTpi'), 3);
  assert.equal(await connectionsAfter('Basic YTpi'), 3);
});
