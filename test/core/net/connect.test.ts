import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { connect } from '../../../src/core/net/connect.js';
import { connectFirst } from '../../../src/core/net/race.js';
import { closedPort, listen } from '../../helpers/stub-server.js';

const signal = new AbortController().signal;

test('a name is looked up, and the first of its addresses that answers is taken', async (t) => {
  const port = await listen(t, createServer());
  const connection = await connect({ host: 'localhost', port, timeoutMs: 5000, signal });
  t.after(() => connection.socket.destroy());
  assert.deepEqual([connection.remoteAddress, connection.remotePort], ['127.0.0.1', port]);
  assert.equal(connection.timings.tlsMs, null);
});

test('an address that refuses does not keep the next from being tried', async (t) => {
  const port = await listen(t, createServer());
  // Only 127.0.0.1 listens there.
  const addresses = ['::1', '127.0.0.2', '127.0.0.1'].map(
    (address) => ({ address, family: address.includes(':') ? 6 : 4 }) as const,
  );
  const socket = await connectFirst({ addresses, port, signal });
  t.after(() => socket.destroy());
  assert.equal(socket.remoteAddress, '127.0.0.1');
});

test('when all addresses fail each is told, refusals first', async () => {
  const port = await closedPort();
  const addresses = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ] as const;
  await assert.rejects(connectFirst({ addresses, port, signal }), (error: AggregateError) => {
    assert.equal(error.errors.length, 2);
    assert.equal(error.errors[0].code, 'ECONNREFUSED');
    return true;
  });
});

test('an abort before or while connecting ends it with its reason', async () => {
  const reason = new Error('stop');
  const stopper = new AbortController();
  const addresses = [{ address: '127.0.0.1', family: 4 }] as const;
  const connecting = connectFirst({ addresses, port: await closedPort(), signal: stopper.signal });
  stopper.abort(reason);
  await assert.rejects(connecting, reason);
  await assert.rejects(
    connect({ host: '127.0.0.1', port: 9, timeoutMs: 0, signal: AbortSignal.abort(reason) }),
    { message: /stop/ },
  );
});
