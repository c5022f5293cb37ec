import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createProxyHandler, type ProxyOptions } from '../../../../src/core/handlers/proxy/index.js';
import type { HeaderList } from '../../../../src/core/http/messages.js';
import { testHandlerContract } from '../../../helpers/handler-contract.js';
import { freePort } from '../../../helpers/programs.js';
import { Events, makeRequest, openSocket, serveHandler } from '../../../helpers/serve-handler.js';
import { tempDir } from '../../../helpers/temp-dir.js';
import { startRawUpstream, startUpstream } from '../../../helpers/upstreams.js';

async function start(t: TestContext, upstreams: readonly string[], options: Partial<ProxyOptions> = {}) {
  const events = new Events();
  const handler = createProxyHandler({ upstreams, onEvent: events.add, ...options });
  return { ...(await serveHandler(t, handler)), handler, events };
}

/** An upstream that answers with what it was sent, as JSON. */
const startEcho = (t: TestContext) =>
  startUpstream(t, (req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => {
      const { method, url, headers, rawHeaders, trailers } = req;
      res.setHeader('Content-Type', 'application/json');
      res.end(
        JSON.stringify({
          method,
          url,
          headers,
          rawHeaders,
          trailers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
  });

testHandlerContract('a proxy', {
  async create(t) {
    const { url } = await startUpstream(t, (req, res) => {
      if (req.url === '/small') res.writeHead(200, { 'Content-Length': 5 }).end('small');
      else if (req.url === '/large') res.end(Buffer.alloc(20_000_000));
      else if (req.url === '/echo') Readable.prototype.pipe.call(req, res);
      else if (req.url === '/cookies') res.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end();
      else res.writeHead(404).end();
    });
    return createProxyHandler({ upstreams: [url] });
  },
  small: { path: '/small', body: 'small' },
  large: { path: '/large', sizeBytes: 20_000_000 },
  missing: '/nothing',
  echo: '/echo',
  repeated: { path: '/cookies', name: 'Set-Cookie', values: ['a=1', 'b=2'] },
});

test('a request goes on as it came, without what is of its connection only', async (t) => {
  const upstream = await startRawUpstream(t, (socket) => {
    socket.write(
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nX-Kept: 1\r\n\r\nok',
    );
  });
  const { raw } = await start(t, [upstream.url]);
  const answer = await raw(
    'GET /a%20b/c?x=%41&y HTTP/1.1\r\nHost: site.test:81\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nTE: gzip, trailers\r\n' +
      'Proxy-Authorization: Basic x\r\nProxy-Connection: x\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n' +
      'X-Real-IP: 6.6.6.6\r\nAccept: a\r\nAccept: b\r\nX-CaSe: Kept\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(answer, /X-Kept: 1/);
  assert.doesNotMatch(answer, /X-Hop|Keep-Alive: timeout=9/i);
  const [request = ''] = upstream.requests;
  assert.equal(
    request,
    'GET /a%20b/c?x=%41&y HTTP/1.1\r\nHost: site.test:81\r\nAccept: a\r\nAccept: b\r\nX-CaSe: Kept\r\n' +
      'X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: site.test:81\r\n' +
      'Forwarded: for=127.0.0.1;host="site.test:81";proto=http\r\nVia: 1.1 nettool\r\nConnection: TE\r\nTE: trailers\r\n\r\n',
  );
});

test('what a trusted peer says of those before it is appended to', async (t) => {
  const echo = await startEcho(t);
  const { origin } = await start(t, [echo.url], { isTrusted: (address) => address === '127.0.0.1' });
  const { headers } = (await (
    await fetch(origin, {
      headers: {
        'X-Forwarded-For': '203.0.113.9',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'shop.test',
        Forwarded: 'for=203.0.113.9',
      },
    })
  ).json()) as { headers: Record<string, string> };
  assert.equal(headers['x-forwarded-for'], '203.0.113.9, 127.0.0.1');
  assert.equal(headers['x-forwarded-proto'], 'https');
  assert.equal(headers['x-forwarded-host'], 'shop.test');
  assert.match(headers.forwarded ?? '', /^for=203\.0\.113\.9, for=127\.0\.0\.1;/);
});

test('the client’s Host goes on unless another one is asked for', async (t) => {
  const echo = await startEcho(t);
  const hostWith = async (options: Partial<ProxyOptions>) => {
    const { raw } = await start(t, [echo.url], options);
    const answer = await raw('GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n');
    return /"host":"([^"]*)"/.exec(answer)?.[1];
  };
  assert.equal(await hostWith({}), 'site.test');
  assert.equal(await hostWith({ upstreamHost: 'inner.test' }), 'inner.test');
  assert.equal(await hostWith({ upstreamHost: true }), `127.0.0.1:${echo.port}`);
});

test('a prefix stays unless the URL has a path, which then replaces it', async (t) => {
  const echo = await startEcho(t);
  const ask = async (base: string, path: string, options: Partial<ProxyOptions> = {}) => {
    const { origin } = await start(t, [`${echo.url}${base}`], { prefix: '/api', ...options });
    return ((await (await fetch(`${origin}${path}`)).json()) as { url: string }).url;
  };
  assert.equal(await ask('', '/api/x?q=1'), '/api/x?q=1');
  assert.equal(await ask('/', '/api/x?q=1'), '/x?q=1');
  assert.equal(await ask('/v1', '/api/x'), '/v1/x');
  assert.equal(await ask('/v1/', '/api/x//y/'), '/v1/x//y/');
  assert.equal(await ask('/v1', '/api'), '/v1');
  assert.equal(await ask('/', '/api'), '/');
  const rewrite = [{ from: /^\/api\/users\/(\d+)/, to: '/u?id=$1' }];
  assert.equal(await ask('', '/api/users/7', { rewrite }), '/u?id=7');
});

test('a path two could read differently goes on as the one it was matched by', async (t) => {
  const upstream = await startRawUpstream(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const { raw } = await start(t, [`${upstream.url}/`], { prefix: '/api' });
  for (const target of ['/public/..%2fapi/x', '/%61pi/x', '/api/./x', '/api/y/%2e%2e/x']) {
    await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  }
  for (const request of upstream.requests) assert.match(request, /^GET \/x HTTP\/1\.1\r\n/);
  assert.equal(upstream.requests.length, 4);
});

test('a Location within the upstream is one within us', async (t) => {
  let location = '';
  const upstream = await startUpstream(t, (_req, res) => res.writeHead(302, { Location: location }).end());
  const { origin } = await start(t, [`${upstream.url}/v1`], { prefix: '/api' });
  const mapped = async (from: string) => {
    location = from;
    return (await fetch(`${origin}/api/`, { redirect: 'manual' })).headers.get('location');
  };
  assert.equal(await mapped(`${upstream.url}/v1/x?y`), '/api/x?y');
  assert.equal(await mapped('/v1/x'), '/api/x');
  assert.equal(await mapped('/other'), '/other');
  assert.equal(await mapped('http://elsewhere.test/v1/x'), 'http://elsewhere.test/v1/x');
  assert.equal(await mapped('relative'), 'relative');
});

test('a cookie for a path of the upstream is one for that path within us', async (t) => {
  let cookie = '';
  const upstream = await startUpstream(t, (_req, res) => res.writeHead(200, { 'Set-Cookie': cookie }).end());
  const mapped = async (from: string, base: string) => {
    cookie = from;
    const { origin } = await start(t, [upstream.url + base], { prefix: '/api' });
    return (await fetch(`${origin}/api/`)).headers.get('set-cookie');
  };
  assert.equal(await mapped('a=/b; Path=/json; Secure', '/'), 'a=/b; Path=/api/json; Secure');
  assert.equal(await mapped('a=b;path=/v1/x', '/v1'), 'a=b;path=/api/x');
  assert.equal(await mapped('a=b; Path=/other', '/v1'), 'a=b; Path=/other');
  assert.equal(await mapped('a=b; Path=/api/x', '/'), 'a=b; Path=/api/x');
  assert.equal(await mapped('a=b; Path=/', '/'), 'a=b; Path=/');
  assert.equal(await mapped('a=b; Path=/json', ''), 'a=b; Path=/json');
});

test('dot segments with parameters lead nobody out of the prefix', async (t) => {
  const upstream = await startRawUpstream(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const { raw } = await start(t, [upstream.url], { prefix: '/api' });
  for (const [target, sent] of [
    ['/api/..;/x', '/api/..%3B/x'],
    ['/api/%2e%2E;a=b/%78', '/api/..%3Ba=b/x'],
    ['/api/.;/..;/x', '/api/.%3B/..%3B/x'],
    ['/api/..;', '/api/..%3B'],
    ['/api/x;jsessionid=1/y.;z', '/api/x;jsessionid=1/y.;z'],
  ] as const) {
    await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.equal(upstream.requests.at(-1)?.split(' ')[1], sent, target);
  }
});

test('connections are used again', async (t) => {
  const echo = await startEcho(t);
  const { origin } = await start(t, [echo.url]);
  for (let turn = 0; turn < 20; turn += 1) await (await fetch(`${origin}/${turn}`)).text();
  assert.equal(echo.connections(), 1);
  await Promise.all(Array.from({ length: 8 }, async () => (await fetch(origin)).text()));
  assert.ok(echo.connections() <= 9);
});

test('a kept connection that was closed meanwhile costs a client nothing', async (t) => {
  const upstream = await startRawUpstream(t, (socket, request) => {
    if (request === 2) socket.destroy();
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const { origin } = await start(t, [upstream.url]);
  assert.equal(await (await fetch(origin)).text(), 'ok');
  assert.equal(await (await fetch(origin)).text(), 'ok');
  assert.equal(upstream.requests.length, 3);
});

test('a request that may not be repeated is never sent twice', async (t) => {
  const upstream = await startRawUpstream(t, (socket, request) => {
    if (request === 2) socket.destroy();
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const { origin } = await start(t, [upstream.url, upstream.url]);
  const post = () => fetch(origin, { method: 'POST', body: 'x' });
  assert.equal((await post()).status, 200);
  assert.equal((await post()).status, 502);
  assert.equal(upstream.requests.length, 2);
});

test('an idempotent request with a small body goes to another upstream when the first one breaks', async (t) => {
  const broken = await startRawUpstream(t, (socket) => socket.destroy());
  const echo = await startEcho(t);
  const { origin, events } = await start(t, [broken.url, echo.url]);
  for (let turn = 0; turn < 2; turn += 1) {
    const answer = await fetch(origin, { method: 'PUT', body: 'content' });
    assert.equal(((await answer.json()) as { body: string }).body, 'content');
  }
  assert.equal((await events.find('upstream')).state, 'down');
});

test('any request goes to another upstream when the first one cannot be reached, and that one rests', async (t) => {
  const echo = await startEcho(t);
  const dead = `http://127.0.0.1:${await freePort()}`;
  const { origin, events } = await start(t, [dead, echo.url], { failTimeoutMs: 60_000 });
  for (let turn = 0; turn < 6; turn += 1) {
    assert.equal((await fetch(origin, { method: 'POST', body: Buffer.alloc(200_000) })).status, 200);
  }
  const downs = events.all.filter((event) => event.type === 'upstream');
  assert.equal(downs.length, 1);
  assert.match(downs[0]?.type === 'upstream' ? downs[0].reason : '', /refused/);
});

test('an upstream that answers again is told of', async (t) => {
  const port = await freePort();
  const echo = await startEcho(t);
  const { origin, events } = await start(t, [`http://127.0.0.1:${port}`, echo.url], { failTimeoutMs: 1 });
  while (!events.all.some(({ type }) => type === 'upstream')) await fetch(origin);
  await startUpstream(t, (_req, res) => res.end('back'), port);
  for (;;) {
    if ((await (await fetch(origin)).text()) === 'back') break;
  }
  assert.equal((await events.find('upstream', ({ state }) => state === 'up')).reason, 'it answers again');
});

test('requests are spread in turn, to the least busy, or by a key', async (t) => {
  const names = ['a', 'b', 'c'];
  const upstreams = await Promise.all(
    names.map((name) =>
      startUpstream(t, (req, res) => {
        if (req.url === '/slow') setTimeout(() => res.end(name), 300);
        else res.end(name);
      }),
    ),
  );
  const urls = upstreams.map(({ url }) => url);
  const ask = async (origin: string, path = '/', headers = {}) =>
    (await fetch(origin + path, { headers })).text();

  const inTurn = await start(t, urls);
  const turns: string[] = [];
  for (let turn = 0; turn < 6; turn += 1) turns.push(await ask(inTurn.origin));
  assert.deepEqual(turns.slice(0, 3).sort(), names);
  assert.deepEqual(turns.slice(0, 3), turns.slice(3));

  const least = await start(t, urls, { balance: 'least-connections' });
  const slow = ask(least.origin, '/slow');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const others = new Set(await Promise.all(Array.from({ length: 2 }, () => ask(least.origin, '/slow'))));
  assert.equal(others.has(await slow), false);

  const byKey = await start(t, urls, { balance: 'hash', hashKey: 'header:x-user' });
  const seen = new Map<string, string>();
  for (let user = 0; user < 40; user += 1)
    seen.set(`u${user}`, await ask(byKey.origin, '/', { 'x-user': `u${user}` }));
  for (const [user, name] of seen) assert.equal(await ask(byKey.origin, '/', { 'x-user': user }), name);
  assert.equal(new Set(seen.values()).size, 3);
});

test('a failing health check takes an upstream out, a passing one puts it back', async (t) => {
  let isWell = true;
  const sick = await startUpstream(t, (req, res) => {
    if (req.url === '/healthz') res.writeHead(isWell ? 200 : 503).end();
    else res.end('sick');
  });
  const well = await startUpstream(t, (_req, res) => res.end('well'));
  const healthCheck = { path: '/healthz', intervalMs: 20, timeoutMs: 200, falls: 2 };
  const { origin, events } = await start(t, [sick.url, well.url], { healthCheck });
  isWell = false;
  await events.find('upstream', ({ state }) => state === 'down');
  for (let turn = 0; turn < 4; turn += 1) assert.equal(await (await fetch(origin)).text(), 'well');
  isWell = true;
  await events.find('upstream', ({ state }) => state === 'up');
  const both = new Set<string>();
  for (let turn = 0; turn < 4; turn += 1) both.add(await (await fetch(origin)).text());
  assert.equal(both.size, 2);
});

test('nothing answers: 502; nothing in time: 504; nobody well: 503', async (t) => {
  const dead = await start(t, [`http://127.0.0.1:${await freePort()}`]);
  assert.equal((await fetch(dead.origin)).status, 502);
  const silent = await startRawUpstream(t, () => {});
  const late = await start(t, [silent.url], { responseTimeoutMs: 150 });
  assert.equal((await fetch(late.origin)).status, 504);
  assert.match((await late.events.find('application-error')).message, /no answer within 150 ms/);
  const sick = await startUpstream(t, (_req, res) => res.writeHead(500).end());
  const none = await start(t, [sick.url], {
    healthCheck: { path: '/', intervalMs: 20, timeoutMs: 100, falls: 1 },
  });
  await none.events.find('upstream');
  assert.equal((await fetch(none.origin)).status, 503);
});

test('an answer that stands still is broken off, a client that reads slowly is not', async (t) => {
  const upstream = await startRawUpstream(t, (socket, _request, text) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\nbegin');
    if (text.includes('/rest')) socket.write(Buffer.alloc(9_999_995));
  });
  const { origin, port } = await start(t, [upstream.url], { stallTimeoutMs: 200 });
  await assert.rejects(fetch(origin).then((response) => response.text()));
  const socket = await openSocket(t, port);
  socket.write('GET /rest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await once(socket, 'data');
  socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 700));
  let size = 0;
  socket.on('data', (chunk: Buffer) => {
    size += chunk.length;
  });
  socket.resume();
  await once(socket, 'close');
  assert.ok(size > 9_000_000);
});

/** What an upstream might say so that one of us two takes it for more, or less, than one answer. */
const HOSTILE: Readonly<Record<string, string>> = {
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\nok',
  'length and chunks': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a switch nobody asked for':
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
  '204 with content': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/0.9': 'just some text\r\n\r\n',
  'a bare line feed': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'a NUL in a field': 'HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n',
  'a broken chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nxyz\r\n',
  'half a head': 'HTTP/1.1 200 OK\r\nContent-Le',
};

for (const [name, reply] of Object.entries(HOSTILE)) {
  test(`an upstream that answers with ${name} is 502, and its connection is not used again`, async (t) => {
    const upstream = await startRawUpstream(t, (socket, request) => {
      if (request > 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      else if (name === 'half a head') socket.end(reply);
      else socket.write(Buffer.from(reply, 'latin1'));
    });
    const { origin } = await start(t, [upstream.url]);
    assert.equal((await fetch(origin)).status, 502);
    assert.equal(await (await fetch(origin)).text(), 'ok');
    assert.equal(upstream.connections(), 2);
  });
}

test('an answer nobody asked for never answers the next request', async (t) => {
  const upstream = await startRawUpstream(t, (socket, request) => {
    const extra = request === 1 ? 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil' : '';
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood${extra}`);
    if (request === 2) setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'), 20);
  });
  const { origin } = await start(t, [upstream.url]);
  for (let turn = 0; turn < 4; turn += 1) {
    assert.equal(await (await fetch(origin)).text(), 'good');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(upstream.connections(), 3);
});

test('who still reads an answer, or gives it up, has no part in the next one on its connection', async (t) => {
  const sockets: Socket[] = [];
  const asked = new EventEmitter();
  const upstream = await startRawUpstream(t, (socket, request) => {
    sockets.push(socket);
    if (request === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
    asked.emit('request');
  });
  const { handler } = await start(t, [upstream.url]);
  const first = await handler.handle(makeRequest());
  const body = first.body as Readable;
  await once(body, 'readable');
  assert.equal(String(body.read()), 'hello');
  sockets[0]?.write('world');
  await once(body, 'readable');
  const second = handler.handle(makeRequest());
  await once(asked, 'request');
  assert.equal(sockets[1], sockets[0]);
  body.destroy();
  await once(body, 'close');
  sockets[1]?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.deepEqual((await second).body, Buffer.from('ok'));
});

test('an answer that breaks off breaks off for the client, too', async (t) => {
  for (const reply of [
    'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n',
  ]) {
    const upstream = await startRawUpstream(t, (socket) => {
      socket.write(reply);
      setTimeout(() => socket.destroy(), 150);
    });
    const { origin } = await start(t, [upstream.url]);
    await assert.rejects(
      fetch(origin).then((response) => response.text()),
      reply,
    );
  }
});

test('bodies are streamed both ways, with and without a length', async (t) => {
  const upstream = await startUpstream(t, (req, res) => {
    const hash = createHash('sha256');
    req.on('data', (chunk) => hash.update(chunk));
    req.on('end', () =>
      res.end(`${req.headers['content-length'] ?? req.headers['transfer-encoding']} ${hash.digest('hex')}`),
    );
  });
  const { origin } = await start(t, [upstream.url]);
  const body = Buffer.alloc(10_000_000, 'nettool');
  const digest = createHash('sha256').update(body).digest('hex');
  const whole = await fetch(origin, { method: 'POST', body });
  assert.equal(await whole.text(), `10000000 ${digest}`);
  const stream = Readable.toWeb(
    Readable.from([body.subarray(0, 5_000_000), body.subarray(5_000_000)]),
  ) as ReadableStream;
  const chunked = await fetch(origin, { method: 'POST', body: stream, duplex: 'half' } as RequestInit);
  assert.equal(await chunked.text(), `chunked ${digest}`);
});

test('an answer before the end of the request is passed on', async (t) => {
  const upstream = await startRawUpstream(t, (socket) => {
    socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig');
  });
  const { port } = await start(t, [upstream.url]);
  const socket = await openSocket(t, port);
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\nbegin');
  const [chunk] = await once(socket, 'data');
  assert.match(String(chunk), /^HTTP\/1\.1 413 Too Large/);
});

test('a client that leaves ends what it asked for', async (t) => {
  const upstream = await startUpstream(t, () => {});
  const asked = once(upstream.server, 'request');
  const { port } = await start(t, [upstream.url]);
  const socket = await openSocket(t, port);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [req] = await asked;
  socket.destroy();
  await once(req.socket, 'close');
});

test('a client that breaks off its upload is not mistaken for one that finished', async (t) => {
  const upstream = await startUpstream(t, () => {});
  const asked = once(upstream.server, 'request');
  const { port } = await start(t, [upstream.url]);
  const socket = await openSocket(t, port);
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  const [req] = await asked;
  req.resume();
  socket.destroy();
  await once(req, 'aborted');
});

test('early hints and trailers are passed on', async (t) => {
  const upstream = await startRawUpstream(t, (socket) => {
    socket.write(
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    setTimeout(() => socket.write('2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n'), 30);
  });
  const handler = createProxyHandler({ upstreams: [upstream.url] });
  t.after(() => handler.close?.());
  const hints: HeaderList[] = [];
  const response = await handler.handle(makeRequest({ earlyHints: (headers) => hints.push(headers) }));
  assert.deepEqual(hints, [[['Link', '</a.css>']]]);
  const chunks: Buffer[] = [];
  for await (const chunk of response.body as Readable) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), 'ok');
  assert.deepEqual(await response.trailers?.(), [['X-Sum', '7']]);
});

test('trailers of a request are passed on', async (t) => {
  const echo = await startEcho(t);
  const handler = createProxyHandler({ upstreams: [echo.url] });
  t.after(() => handler.close?.());
  const response = await handler.handle(
    makeRequest({
      method: 'POST',
      headers: [
        ['Host', 'x'],
        ['Transfer-Encoding', 'chunked'],
      ],
      body: Readable.from([Buffer.from('content')]),
      trailers: [['X-Sum', '7']],
    }),
  );
  const seen = JSON.parse(String(response.body));
  assert.equal(seen.body, 'content');
  assert.deepEqual(seen.trailers, { 'x-sum': '7' });
});

test('HTTP/2’s cookies become one field, and a body without a length is sent in chunks', async (t) => {
  const echo = await startEcho(t);
  const handler = createProxyHandler({ upstreams: [echo.url] });
  t.after(() => handler.close?.());
  const response = await handler.handle(
    makeRequest({
      method: 'POST',
      httpVersion: '2',
      headers: [
        ['host', 'x'],
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
      ],
      hasBody: true,
      body: Readable.from([Buffer.from('content')]),
    }),
  );
  const seen = JSON.parse(String(response.body));
  assert.equal(seen.headers.cookie, 'a=1; b=2');
  assert.equal(seen.headers['transfer-encoding'], 'chunked');
  assert.equal(seen.body, 'content');
});

test('a request that comes round again and again is 508', async (t) => {
  const port = await freePort();
  const handler = createProxyHandler({ upstreams: [`http://127.0.0.1:${port}`] });
  const { serveHttp } = await import('../../../../src/core/http/server/index.js');
  const server = await serveHttp(handler, {
    host: '127.0.0.1',
    port,
    signal: new AbortController().signal,
    onEvent: () => {},
  });
  t.after(() => server.close());
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 508);
});

test('an upstream on a Unix socket answers, its path and all', async (t) => {
  const path = join(tempDir(t), 'app.sock');
  const server = createServer((req, res) => res.end(req.url)).listen(path);
  await once(server, 'listening');
  t.after(() => server.close());
  const plain = await start(t, [`unix:${path}`]);
  assert.equal(await (await fetch(`${plain.origin}/x`)).text(), '/x');
  const based = await start(t, [`unix:${path}:/base`], { prefix: '/api' });
  assert.equal(await (await fetch(`${based.origin}/api/x`)).text(), '/base/x');
});

test('upstreams that cannot be meant are refused at once', () => {
  for (const url of [
    'localhost:3000',
    'ftp://x',
    'http://',
    'http://a:0',
    'http://a:70000',
    'http://u:p@a',
    'http://a/b?c',
    'http://a/b#c',
    'unix:',
    'http://a b',
    'http://a/\r\nX: y',
  ]) {
    assert.throws(() => createProxyHandler({ upstreams: [url] }), { code: 'USAGE' }, url);
  }
  assert.throws(() => createProxyHandler({ upstreams: [] }), { code: 'USAGE' });
  assert.throws(() => createProxyHandler({ upstreams: ['http://a'], upstreamHost: 'a\r\nb' }), {
    code: 'USAGE',
  });
});
