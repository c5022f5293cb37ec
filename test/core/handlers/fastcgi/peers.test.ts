import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createFastcgiHandler } from '../../../../src/core/handlers/fastcgi/index.js';
import { needs, startProgram, waitForPort } from '../../../helpers/programs.js';
import { Events, serveHandler } from '../../../helpers/serve-handler.js';
import { tempDir } from '../../../helpers/temp-dir.js';

function record(type: number, content: string): Buffer {
  const body = Buffer.from(content, 'latin1');
  return Buffer.concat([Buffer.from([1, type, 0, 1, body.length >> 8, body.length & 0xff, 0, 0]), body]);
}

const END = record(3, '\0\0\0\0\0\0\0\0');
const END_OVERLOADED = record(3, '\0\0\0\0\x02\0\0\0');
const PAGE = 'Content-Type: text/plain\r\n\r\nhello';

/** An application that does with each request, numbered from 1, what the test says. */
async function start(t: TestContext, respond: (socket: Socket, request: number) => void) {
  let requests = 0;
  let connections = 0;
  const application = createServer((socket) => {
    connections += 1;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      // Our requests without a body come in one piece, begun by a BEGIN record.
      if (chunk[1] === 1) respond(socket, ++requests);
    });
  }).listen(0, '127.0.0.1');
  await once(application, 'listening');
  t.after(() => application.close());
  const { port } = application.address() as AddressInfo;
  const events = new Events();
  const handler = createFastcgiHandler({
    address: `127.0.0.1:${port}`,
    timeoutMs: 500,
    onEvent: events.add,
  });
  const served = await serveHandler(t, handler);
  return { ...served, events, connections: () => connections };
}

test('a connection is used again, and a stale one replaced without the client noticing', async (t) => {
  const { origin, connections } = await start(t, (socket, request) => {
    if (request === 2) socket.destroy();
    else socket.write(Buffer.concat([record(6, PAGE), END]));
  });
  assert.equal(await (await fetch(`${origin}/a.php`)).text(), 'hello');
  assert.equal(await (await fetch(`${origin}/a.php`)).text(), 'hello');
  assert.equal(connections(), 2);
});

test('a script may go on after the length it announced, and its connection is used again', async (t) => {
  let first: Socket | undefined;
  const { origin } = await start(t, (socket, request) => {
    first ??= socket;
    const page = Buffer.concat([record(6, PAGE), END]);
    socket.write(request === 1 ? record(6, 'Content-Length: 5\r\nStatus: 200\r\n\r\nhello') : page);
  });
  assert.equal(await (await fetch(`${origin}/a.php`)).text(), 'hello');
  first?.write(record(6, 'nobody hears that'));
  assert.equal(await (await fetch(`${origin}/a.php`)).text(), 'hello');
  first?.write(END);
  assert.equal(await (await fetch(`${origin}/a.php`)).text(), 'hello');
  assert.equal(first?.readableEnded, false);
});

test('a script that has answered does not go on for ever', async (t) => {
  const gone = Promise.withResolvers<void>();
  const { origin } = await start(t, (socket) => {
    socket.write(record(6, 'Content-Length: 5\r\nStatus: 200\r\n\r\nhello'));
    const talk = setInterval(() => socket.write(record(6, 'still here')), 50);
    socket.once('close', () => {
      clearInterval(talk);
      gone.resolve();
    });
  });
  assert.equal(await (await fetch(`${origin}/a.php`)).text(), 'hello');
  await gone.promise;
});

test('an application of one process is served on after it has closed its only connection', async (t) => {
  // It has one connection at a time, and takes the next one when that is closed.
  const waiting: Array<() => void> = [];
  let current: Socket | undefined;
  const { origin } = await start(t, (socket, request) => {
    const answer = (): void => {
      if (current !== socket) {
        socket.once('close', () => {
          current = undefined;
          waiting.shift()?.();
        });
      }
      current = socket;
      socket.write(Buffer.concat([record(6, PAGE), END]));
      if (request === 1) socket.end();
    };
    if (current === undefined || current === socket) answer();
    else waiting.push(answer);
  });
  assert.equal((await fetch(`${origin}/a.php`)).status, 200);
  // Long enough for nothing to be left to look after.
  await delay(100);
  for (let count = 0; count < 6; count += 1) assert.equal((await fetch(`${origin}/a.php`)).status, 200);
});

test('a request that may not be repeated is not sent again', async (t) => {
  const { origin } = await start(t, (socket, request) => {
    if (request === 2) socket.destroy();
    else socket.write(Buffer.concat([record(6, PAGE), END]));
  });
  const post = () => fetch(`${origin}/a.php`, { method: 'POST' });
  assert.equal((await post()).status, 200);
  assert.equal((await post()).status, 502);
});

test('an overloaded application is 503, a role it does not know or garbage 502', async (t) => {
  const answers = [
    END_OVERLOADED,
    record(3, '\0\0\0\0\x03\0\0\0'),
    Buffer.from('HTTP/1.1 200 OK\r\n\r\n'),
    END,
  ];
  const { origin } = await start(t, (socket, request) => {
    socket.write(answers[request - 1] as Buffer);
  });
  const statuses: number[] = [];
  for (const _ of answers) statuses.push((await fetch(`${origin}/a.php`)).status);
  assert.deepEqual(statuses, [503, 502, 502, 502]);
});

test('an end before the answer is complete is 502 before its head, and breaks off after it', async (t) => {
  const { origin, connections } = await start(t, (socket, request) => {
    if (request === 1) socket.end(record(6, 'Content-Type: te'));
    else {
      socket.write(record(6, PAGE));
      setTimeout(() => socket.destroy(), 150);
    }
  });
  assert.equal((await fetch(`${origin}/a.php`)).status, 502);
  await assert.rejects(fetch(`${origin}/a.php`).then((response) => response.text()));
  assert.equal(connections(), 2);
});

test('a head cut anywhere is read, whatever the application complains in between', async (t) => {
  const { origin, events } = await start(t, (socket) => {
    const pieces = [...PAGE].map((letter, index) =>
      Buffer.concat([
        record(6, letter),
        ...(index === 5 ? [record(7, 'half a '), record(7, 'line\nmore')] : []),
      ]),
    );
    socket.write(Buffer.concat([...pieces, END]));
  });
  assert.equal(await (await fetch(`${origin}/a.php`)).text(), 'hello');
  const texts = events.all.map((event) => (event.type === 'application-log' ? event.text : ''));
  assert.deepEqual(texts, ['half a line', 'more']);
});

test('fcgiwrap runs a CGI script behind us', needs('fcgiwrap'), async (t) => {
  const root = tempDir(t);
  writeFileSync(
    join(root, 'hello.cgi'),
    '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\nhello $QUERY_STRING $PATH_INFO"\n',
  );
  chmodSync(join(root, 'hello.cgi'), 0o755);
  const socket = join(root, 'wrap.sock');
  startProgram(t, 'fcgiwrap', ['-s', `unix:${socket}`]);
  await waitForPort(socket);
  const handler = createFastcgiHandler({
    address: `unix:${socket}`,
    root,
    prefix: '/cgi',
    extensions: ['.cgi'],
  });
  const { origin } = await serveHandler(t, handler);
  assert.equal(await (await fetch(`${origin}/cgi/hello.cgi/info?q=1`)).text(), 'hello q=1 /info');
  assert.equal((await fetch(`${origin}/hello.cgi`)).status, 404);
});
