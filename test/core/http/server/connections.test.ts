import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { test } from 'node:test';
import type { IncomingRequest } from '../../../../src/core/http/messages.js';
import { exchange, RawClient, start, statuses, text } from './raw.js';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

async function read(request: IncomingRequest): Promise<string> {
  let all = '';
  for await (const chunk of request.body) all += (chunk as Buffer).toString('latin1');
  return all;
}

const echo = async (request: IncomingRequest) => text(await read(request));

test('answers of a pipeline come in the order of the requests, whatever the handler takes', async (t) => {
  const { port } = await start(t, async (request) => {
    const delay = Number(request.query);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    return text(`<${request.query}>`);
  });
  const pipeline = ['20', '0', '10', '0', '1']
    .map((ms) => `GET /?${ms} HTTP/1.1\r\nHost: a\r\n\r\n`)
    .join('');
  const received = await exchange(port, pipeline + LAST);
  assert.deepEqual(received.match(/<\d*>/g), ['<20>', '<0>', '<10>', '<0>', '<1>', '<>']);
});

test('a pipeline of a thousand is answered in full, also when nobody reads it at first', async (t) => {
  const { port } = await start(t, () => text('x'.repeat(5000)));
  const client = new RawClient(port);
  client.socket.pause();
  client.send(GET.repeat(1000) + LAST);
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.socket.resume();
  assert.equal(statuses(await client.toEnd()).length, 1001);
});

test('HTTP/1.1 stays unless told to close; HTTP/1.0 closes unless told to stay', async (t) => {
  const { port } = await start(t);
  const old = 'GET / HTTP/1.0\r\n';
  assert.equal(statuses(await exchange(port, GET + GET + LAST + GET)).length, 3);
  assert.equal(statuses(await exchange(port, `${old}\r\n${GET}`)).length, 1);
  const kept = await exchange(port, `${old}Connection: keep-alive\r\n\r\n${old}\r\n`);
  assert.equal(statuses(kept).length, 2);
  assert.match(kept, /\r\nConnection: keep-alive\r\n/);
  const closed = await exchange(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n');
  assert.match(closed, /\r\nConnection: close\r\n/);
});

test('the first connection after a long quiet time has as much time as others', async (t) => {
  const { port } = await start(t);
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 3_600_000);
  assert.equal(statuses(await exchange(port, LAST)).length, 1);
});

test('bodies arrive whole however they are cut', async (t) => {
  const { port } = await start(t, echo);
  const chunked =
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nX-T: 1\r\n\r\n';
  const sized = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nConnection: close\r\n\r\nabcdefg';
  for (const request of [chunked, sized]) {
    for (let at = 1; at < request.length; at += 1) {
      const received = await exchange(port, request.slice(0, at), request.slice(at));
      assert.match(received, /\r\n\r\nabcdefg$/, `cut at ${at}`);
    }
  }
});

test('a large body is taken no faster than the handler reads', async (t) => {
  const { port } = await start(t, async (request) => {
    let size = 0;
    for await (const chunk of request.body) {
      size += (chunk as Buffer).length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return text(String(size));
  });
  const client = new RawClient(port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\nConnection: close\r\n\r\n');
  client.send(Buffer.alloc(20_000_000));
  assert.match(await client.toEnd(), /\r\n\r\n20000000$/);
});

test('a pipeline goes on behind a body that was read, and behind one that was not', async (t) => {
  const { port } = await start(t, (request) => (request.target === '/read' ? echo(request) : text('unread')));
  for (const target of ['/read', '/unread']) {
    const post = `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`;
    const chunked = `POST ${target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
    assert.deepEqual(statuses(await exchange(port, post + chunked + LAST)), [200, 200, 200], target);
  }
});

test('a long body that nobody reads costs the connection, not the bandwidth', async (t) => {
  const { port } = await start(t);
  const client = new RawClient(port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n');
  const received = await client.toEnd();
  assert.deepEqual(statuses(received), [200]);
  assert.match(received, /\r\nConnection: close\r\n/);
});

test('100 Continue is sent when the handler first reads, and not before', async (t) => {
  let go = (): void => {};
  const mayRead = new Promise<void>((resolve) => {
    go = resolve;
  });
  const { port } = await start(t, async (request) => {
    await mayRead;
    return echo(request);
  });
  const client = new RawClient(port);
  client.send(
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
  );
  await once(client.socket, 'connect');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(client.received, '');
  go();
  await client.until(/100 Continue\r\n\r\n/);
  client.send('abc');
  assert.match(await client.toEnd(), /200 OK[\s\S]*\r\n\r\nabc$/);
});

test('a refusal instead of 100 Continue ends the connection, as the body may follow all the same', async (t) => {
  const { port } = await start(t, () => text('no', 403));
  const received = await exchange(
    port,
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc${GET}`,
  );
  assert.deepEqual(statuses(received), [403]);
  assert.match(received, /\r\nConnection: close\r\n/);
});

test('a body in chunks beyond the limit is 413, even while the handler reads it', async (t) => {
  const { port, events } = await start(t, echo, { limits: { maxBodyBytes: 10 } });
  const received = await exchange(
    port,
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n${GET}`,
  );
  assert.deepEqual(statuses(received), [413]);
  const event = events.find((one) => one.type === 'request');
  assert.equal(event?.error, 'the body is too large');
});

test('trailers of a request are there once its body has ended', async (t) => {
  const { port } = await start(t, async (request) => {
    await read(request);
    return text(JSON.stringify(request.trailers));
  });
  const received = await exchange(
    port,
    'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n',
  );
  assert.match(received, /\[\["X-Sum","1"\]\]$/);
});

test('a half-closed client still gets its answer', async (t) => {
  const { port } = await start(t, async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(request.signal.aborted, false);
    return text('late');
  });
  const client = new RawClient(port);
  client.socket.end(GET + GET);
  assert.deepEqual(statuses(await client.toEnd()), [200, 200]);
});

test('the signal of a request aborts when its client leaves, and its body fails', async (t) => {
  const left = Promise.withResolvers<string>();
  const { port, events } = await start(t, async (request) => {
    const reading = read(request).catch((error: Error) => error.message);
    request.signal.addEventListener('abort', async () => left.resolve(await reading));
    return new Promise(() => {});
  });
  const client = new RawClient(port);
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc');
  await once(client.socket, 'connect');
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.socket.resetAndDestroy();
  assert.equal(await left.promise, 'the client has left');
  const event = events.find((one) => one.type === 'request');
  assert.equal(event?.aborted, true);
  assert.equal(event?.status, 499);
});

const FAST = { headMs: 100, bodyMs: 100, keepAliveMs: 100, sendMs: 200, lingerMs: 100 };

test('a head that drips is 408 when its time is up, however it drips', async (t) => {
  const { port, seen } = await start(t, undefined, { timers: FAST });
  const client = new RawClient(port);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n');
  const drip = setInterval(() => client.send('X: a\r\n'), 20);
  t.after(() => clearInterval(drip));
  const received = await client.toEnd();
  clearInterval(drip);
  assert.deepEqual(statuses(received), [408]);
  assert.deepEqual(seen, []);
});

test('a connection that says nothing is closed without a word', async (t) => {
  const { port } = await start(t, undefined, { timers: FAST });
  assert.equal(await exchange(port, ''), '');
  assert.deepEqual(statuses(await exchange(port, GET)), [200]);
});

test('a body that stands still is 408, and one that drips as well', async (t) => {
  const { port } = await start(t, echo, { timers: { ...FAST, minBodyBytesPerSecond: 10_000 } });
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n';
  assert.deepEqual(statuses(await exchange(port, `${head}abc`)), [408]);
  const client = new RawClient(port);
  client.send(head);
  const drip = setInterval(() => client.send('x'), 10);
  t.after(() => clearInterval(drip));
  assert.deepEqual(statuses(await client.toEnd()), [408]);
  clearInterval(drip);
});

test('a handler may take longer than any timer of the client', async (t) => {
  const slow = async () => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    return text('slow');
  };
  const { port } = await start(t, slow, { timers: FAST });
  assert.deepEqual(statuses(await exchange(port, GET)), [200]);
});

test('a client that does not read its answer is cut off', async (t) => {
  const { port, events } = await start(t, () => text('x'.repeat(30_000_000)), {
    timers: FAST,
    events: ['connection-close'],
  });
  const client = new RawClient(port);
  client.socket.pause();
  client.send(GET);
  while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  client.socket.destroy();
  assert.equal(events[0]?.type, 'connection-close');
});

test('stopping lets a running answer finish, tells it that it is the last, and ends idle connections', async (t) => {
  const started = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const { port, server, events } = await start(
    t,
    async () => {
      started.resolve();
      await go.promise;
      return text('finished');
    },
    { graceMs: 5000 },
  );
  const idle = new RawClient(port);
  await once(idle.socket, 'connect');
  const busy = new RawClient(port);
  busy.send(GET + GET);
  await started.promise;
  const closed = server.close();
  assert.equal(await idle.toEnd(), '');
  go.resolve();
  const received = await busy.toEnd();
  assert.deepEqual(statuses(received), [200]);
  assert.match(received, /\r\nConnection: close\r\n[\s\S]*finished$/);
  await closed;
  assert.equal(events.at(-1)?.type, 'closed');
  await assert.rejects(exchangeOrFail(port));
});

async function exchangeOrFail(port: number): Promise<void> {
  const client = new RawClient(port);
  await once(client.socket, 'connect');
}

test('an answer that outlives the grace time is cut, and a second close cuts at once', async (t) => {
  const { port, server } = await start(t, () => new Promise(() => {}), { graceMs: 50 });
  const client = new RawClient(port);
  client.send(GET);
  await once(client.socket, 'connect');
  await server.close();
  await client.toEnd();
  const other = await start(t, () => new Promise(() => {}), { graceMs: 60_000 });
  const second = new RawClient(other.port);
  second.send(GET);
  await once(second.socket, 'connect');
  void other.server.close();
  await other.server.close();
  await second.toEnd();
});

test('connections beyond the limit are told 503; there is room again when one has gone', async (t) => {
  const { port } = await start(t, undefined, { limits: { maxConnections: 2 } });
  const first = new RawClient(port);
  first.send(GET);
  await first.until(/hello/);
  const second = new RawClient(port);
  second.send(GET);
  await second.until(/hello/);
  assert.deepEqual(statuses(await exchange(port, GET)), [503]);
  first.socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual(statuses(await exchange(port, LAST)), [200]);
});

test('an address has no more than its share of the connections', async (t) => {
  const { port } = await start(t, undefined, { limits: { maxConnectionsPerAddress: 1 } });
  const first = new RawClient(port);
  first.send(GET);
  await first.until(/hello/);
  assert.deepEqual(statuses(await exchange(port, GET)), [503]);
});

test('an upgrade hands over the connection with what was read beyond the request', async (t) => {
  const { port } = await start(t, {
    handle: () => text('plain'),
    async upgrade(request, socket, head) {
      if (request.target === '/no') return text('declined', 403);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n${head}`);
      socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
      socket.on('end', () => socket.end('bye'));
      return undefined;
    },
  });
  const ask = (target: string, what: string): string =>
    `GET ${target} HTTP/1.1\r\nHost: a\r\nUpgrade: ${what}\r\nConnection: keep-alive, Upgrade\r\n\r\n`;
  const client = new RawClient(port);
  client.send(`${ask('/', 'x')}early`);
  await client.until(/\r\n\r\nearly$/);
  client.send('more');
  await client.until(/MORE$/);
  client.socket.end();
  assert.match(await client.toEnd(), /bye$/);
  assert.match(await exchange(port, ask('/no', 'x')), /403[\s\S]*declined$/);
  assert.deepEqual(statuses(await exchange(port, ask('/', 'h2c') + LAST)), [200, 200]);
});

test('a connection that was handed over is kept alive: it may be silent for hours, and its client gone', async (t) => {
  const { port } = await start(t, {
    handle: () => text('plain'),
    async upgrade(_request, socket) {
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    },
  });
  const client = new RawClient(port);
  await once(client.socket, 'connect');
  const kept = t.mock.method(Socket.prototype, 'setKeepAlive');
  client.send('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
  await client.toEnd();
  assert.deepEqual(
    kept.mock.calls.map((call) => call.arguments),
    [[true, 60_000]],
  );
});

test('a request tells where it came from and what it asked for', async (t) => {
  const { port } = await start(t, (request) =>
    text(
      JSON.stringify([
        request.path,
        request.rawPath,
        request.query,
        request.headers,
        request.remoteAddress,
        request.scheme,
      ]),
    ),
  );
  const received = await exchange(
    port,
    'GET http://other:8080/a%20b/../c?d#'.slice(0, -1) +
      ' HTTP/1.1\r\nhost: a\r\nX: \t v \t\r\nConnection: close\r\n\r\n',
  );
  assert.deepEqual(JSON.parse(received.split('\r\n\r\n')[1] ?? ''), [
    '/c',
    '/a%20b/../c',
    'd',
    [
      ['Host', 'other:8080'],
      ['X', 'v'],
      ['Connection', 'close'],
    ],
    '127.0.0.1',
    'http',
  ]);
});

test('events tell of requests and of connections', async (t) => {
  const { port, events } = await start(t, echo, {
    events: ['request', 'connection-open', 'connection-close'],
  });
  await exchange(
    port,
    `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nUser-Agent: me\r\nConnection: close\r\n\r\nabc`,
  );
  while (!events.some(({ type }) => type === 'connection-close')) await new Promise((r) => setTimeout(r, 5));
  const request = events.find((event) => event.type === 'request');
  assert.equal(request?.bytesIn, 3);
  assert.equal(request?.bytes, 3);
  assert.equal(request?.userAgent, 'me');
  assert.equal(request?.host, 'a');
  assert.ok((request?.durationMs ?? -1) >= (request?.handlerMs ?? 0));
  const close = events.find((event) => event.type === 'connection-close');
  assert.equal(close?.type === 'connection-close' && close.requests, 1);
});
