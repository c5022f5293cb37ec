import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { NettoolError } from '../../../src/core/errors.js';
import { listen } from '../../../src/core/net/listener.js';

function newServer(t: TestContext): Server {
  const server = createServer();
  t.after(() => server.close());
  return server;
}

/** What `listen` failed with. */
async function failure(t: TestContext, host: string, port: number): Promise<NettoolError> {
  const error = await listen(newServer(t), { host, port }).catch((reason: unknown) => reason);
  assert.ok(error instanceof NettoolError, String(error));
  return error;
}

test('port 0 takes a free port and says which', async (t) => {
  const bound = await listen(newServer(t), { host: '127.0.0.1', port: 0 });
  assert.equal(bound.host, '127.0.0.1');
  assert.ok(bound.port > 0);
});

test('a name is bound by its address', async (t) => {
  const { host } = await listen(newServer(t), { host: 'localhost', port: 0 });
  assert.ok(host === '127.0.0.1' || host === '::1', host);
});

test('a busy port is told with one that really is free', async (t) => {
  const { port } = await listen(newServer(t), { host: '127.0.0.1', port: 0 });
  const error = await failure(t, '127.0.0.1', port);
  assert.equal(error.code, 'ADDRESS_IN_USE');
  assert.equal(error.message, `cannot listen on 127.0.0.1:${port} (address already in use)`);
  const free = Number(/^port (\d+) is free$/.exec(error.hint ?? '')?.[1]);
  assert.equal((await listen(newServer(t), { host: '127.0.0.1', port: free })).port, free);
});

test('with portFallback a busy port gives the next free one', async (t) => {
  const { port } = await listen(newServer(t), { host: '127.0.0.1', port: 0 });
  const bound = await listen(newServer(t), { host: '127.0.0.1', port, portFallback: true });
  assert.ok(bound.port > port && bound.port <= port + 100, `${port} → ${bound.port}`);
});

test('an address of another machine, one without its zone and an unknown name are told apart', async (t) => {
  assert.equal((await failure(t, '203.0.113.1', 0)).code, 'ADDRESS_NOT_AVAILABLE');
  assert.equal((await failure(t, 'fe80::1', 0)).code, 'ADDRESS_NOT_AVAILABLE');
  const unknown = await failure(t, 'no-such-host.invalid', 0);
  assert.ok(unknown.code === 'DNS_NOT_FOUND' || unknown.code === 'DNS_FAILED', unknown.code);
});

test('a privileged port that is refused comes with a hint', async (t) => {
  const server = newServer(t);
  // Whoever runs the tests may be allowed to; the system's refusal is then played.
  server.listen = (() => {
    process.nextTick(() =>
      server.emit('error', Object.assign(new Error('listen EACCES'), { code: 'EACCES' })),
    );
    return server;
  }) as typeof server.listen;
  const error = await listen(server, { host: '127.0.0.1', port: 80 }).catch((reason: unknown) => reason);
  assert.ok(error instanceof NettoolError);
  assert.equal(error.code, 'PERMISSION');
  assert.match(error.hint ?? '', /1024/);
});

test('a failed accept does not end the process', async (t) => {
  const server = newServer(t);
  await listen(server, { host: '127.0.0.1', port: 0 });
  server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
});
