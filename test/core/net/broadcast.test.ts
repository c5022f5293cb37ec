import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { Broadcast } from '../../../src/core/net/broadcast.js';
import { Connection } from '../../../src/core/net/connection.js';
import { createSpool } from '../../../src/core/net/spool.js';
import { connectTcp, listenTcp, readAll, readSome, someBytes } from '../../helpers/sockets.js';

/** A connection and the socket at its other end. */
async function pair(t: TestContext): Promise<{ connection: Connection; peer: Socket }> {
  const accepted = Promise.withResolvers<Socket>();
  const port = await listenTcp(t, (socket) => accepted.resolve(socket));
  const peer = await connectTcp(t, { port });
  return { connection: new Connection(await accepted.promise, { id: 1 }), peer };
}

test('a spool gives back what it got, in order, and starts over when it is empty', () => {
  const spool = createSpool();
  const bytes = someBytes(200_000);
  for (let round = 0; round < 2; round += 1) {
    spool.push(bytes.subarray(0, 150_000));
    const first = spool.shift() ?? Buffer.alloc(0);
    spool.push(bytes.subarray(150_000));
    const rest: Buffer[] = [];
    for (let next = spool.shift(); next !== undefined; next = spool.shift()) rest.push(next);
    assert.ok(Buffer.concat([first, ...rest]).equals(bytes));
    assert.equal(spool.sizeBytes, 0);
  }
  spool.close();
});

test('the sender waits for its only receiver, and what waits for it does not grow', async (t) => {
  const { connection, peer } = await pair(t);
  const everybody = new Broadcast({ needsReceiver: true });
  const receiver = everybody.add(connection);
  peer.pause();
  const block = someBytes(1_000_000);
  let sent = 0;
  let held = false;
  for (; sent < 100 && !held; sent += 1) {
    const wait = everybody.send(block);
    if (wait === undefined) continue;
    held = await Promise.race([
      wait.then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 200)),
    ]);
  }
  assert.ok(held, 'the sender is held up');
  assert.ok(receiver.spooledBytes < 3_000_000);
  receiver.finish();
  const received = await readAll(peer);
  assert.equal(received.length, sent * block.length);
});

test("while one keeps up the other's part waits on disk, and both get everything", async (t) => {
  const fast = await pair(t);
  const slow = await pair(t);
  const everybody = new Broadcast({ needsReceiver: true });
  everybody.add(fast.connection);
  const receiver = everybody.add(slow.connection);
  slow.peer.pause();
  const bytes = someBytes(30_000_000);
  const received = readSome(fast.peer, bytes.length);
  for (let at = 0; at < bytes.length; at += 100_000) await everybody.send(bytes.subarray(at, at + 100_000));
  assert.ok((await received).equals(bytes));
  assert.ok(receiver.spooledBytes > 10_000_000, `${receiver.spooledBytes}`);
  everybody.finish();
  assert.ok((await readAll(slow.peer)).equals(bytes));
});

test("with nobody there the sender waits, or not when it is nobody's loss", async (t) => {
  assert.equal(new Broadcast({ needsReceiver: false }).send(Buffer.from('x')), undefined);
  const everybody = new Broadcast({ needsReceiver: true });
  const sent = everybody.send(Buffer.from('kept'));
  const { connection, peer } = await pair(t);
  everybody.add(connection);
  await sent;
  assert.equal(String(await readSome(peer, 4)), 'kept');
});
