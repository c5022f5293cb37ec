import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { Distributor, type Receiver } from '../../../src/core/net/distributor.js';

/** A receiver whose answers a test gives. */
class Taker implements Receiver {
  readonly got: Socket[] = [];
  readonly #answers: Array<(isTaken: boolean) => void> = [];

  take(socket: Socket): Promise<boolean> {
    this.got.push(socket);
    return new Promise((resolve) => this.#answers.push(resolve));
  }

  async answer(isTaken: boolean): Promise<void> {
    this.#answers.shift()?.(isTaken);
    await new Promise(setImmediate);
  }
}

test('connections go to receivers by turns, one at a time', async () => {
  const distributor = new Distributor();
  const [a, b] = [new Taker(), new Taker()];
  distributor.add(a);
  distributor.add(b);
  const sockets = Array.from({ length: 4 }, () => new Socket());
  for (const socket of sockets) distributor.push(socket, 0);
  assert.deepEqual([a.got.length, b.got.length], [1, 1]);
  await b.answer(true);
  assert.deepEqual([a.got.length, b.got.length], [1, 2], 'whoever is busy gets none meanwhile');
  assert.ok(sockets[1]?.destroyed, 'our own end is closed once it has arrived');
  assert.ok(!sockets[0]?.destroyed);
  await a.answer(true);
  assert.deepEqual([a.got.length, b.got.length], [2, 2]);
});

test('what a receiver did not get because it died goes to the next, before what came later', async () => {
  const distributor = new Distributor();
  const [a, b] = [new Taker(), new Taker()];
  const [first, second] = [new Socket(), new Socket()];
  distributor.add(a);
  distributor.push(first, 0);
  distributor.push(second, 0);
  distributor.remove(a);
  await a.answer(false);
  assert.ok(!first.destroyed);
  distributor.add(b);
  assert.deepEqual(b.got, [first]);
  await b.answer(true);
  assert.deepEqual(b.got, [first, second]);
});

test('connections wait while there is nobody, and are refused in the end', () => {
  const distributor = new Distributor();
  const socket = new Socket();
  distributor.push(socket, 0);
  assert.ok(!socket.destroyed);
  distributor.close();
  assert.ok(socket.destroyed);
});
