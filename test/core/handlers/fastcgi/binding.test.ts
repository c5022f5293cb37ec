import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LateBinding, TICK_MS } from '../../../../src/core/handlers/fastcgi/binding.js';
import type { Asking, Link } from '../../../../src/core/handlers/fastcgi/link.js';
import { FastcgiModel, type ModelApplication } from '../../../helpers/fastcgi-model.js';

const children = (count: number): ModelApplication => ({ children: () => count });

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

/** Clients that ask again as soon as they are answered. */
function load(model: FastcgiModel, clients: number, requests: number, serviceMs: () => number): FastcgiModel {
  for (let client = 0; client < clients; client += 1) model.client(requests, serviceMs);
  model.run();
  assert.ok(model.requests.every(({ outcome }) => outcome === 'answered'));
  return model;
}

test('many clients and few children need about as many connections as there are children', () => {
  for (const [count, clients] of [
    [1, 2],
    [1, 30],
    [2, 40],
    [8, 64],
  ] as const) {
    const model = load(new FastcgiModel(children(count)), clients, 100, () => 1);
    const seconds = model.now / 1000;
    assert.ok(
      model.connects <= count * (3 + 2 * seconds),
      `${model.connects} connects for ${count} children`,
    );
    // Nothing lies idle: the children work all the time.
    assert.ok(model.now < 1.1 * (model.requests.length / count) + 40, `${model.now} ms`);
  }
});

test('an application that is held up again and again is not flooded with connections', () => {
  const model = new FastcgiModel(children(4));
  // Ten times a second nothing becomes free for 50 ms.
  load(model, 40, 300, () => (model.now % 100 < 3 ? 50 : 1));
  const holdUps = model.now / 100;
  assert.ok(model.connects < 3 * holdUps, `${model.connects} connects, ${holdUps} times`);
});

test('few clients and many children need about as many connections as there are clients', () => {
  const model = load(new FastcgiModel(children(50)), 4, 500, () => 1);
  assert.ok(model.connects <= 12, `${model.connects} connects`);
  assert.ok(model.slowestMs <= 2.1, `${model.slowestMs} ms`);
});

test('slow scripts run side by side, from the start and after quick ones', () => {
  const cold = load(new FastcgiModel(children(20)), 20, 1, () => 1000);
  assert.ok(cold.slowestMs <= 1050, `${cold.slowestMs} ms`);
  const model = new FastcgiModel(children(20));
  for (let client = 0; client < 3; client += 1) model.client(100, () => 1);
  for (let count = 0; count < 17; count += 1) model.ask(50, 1000);
  model.run();
  assert.ok(model.slowestMs <= 1050, `${model.slowestMs} ms`);
});

test('a few slow scripts do not hold the quick ones up', () => {
  const model = new FastcgiModel(children(8));
  for (let count = 0; count < 4; count += 1) model.ask(count * 10, 2000);
  for (let client = 0; client < 4; client += 1) model.client(300, () => 1);
  model.run();
  const quick = model.requests.filter(({ serviceMs }) => serviceMs === 1);
  const waits = quick.map(({ startMs, endMs = 0 }) => endMs - startMs).sort((a, b) => a - b);
  assert.ok((waits[Math.floor(waits.length * 0.99)] as number) <= 10);
  assert.ok((waits.at(-1) as number) <= 60, `${waits.at(-1)} ms`);
});

test('an application that gets more children is given more to do', () => {
  const growing = { children: (nowMs: number) => (nowMs < 2000 ? 2 : 16) };
  for (const serviceMs of [2, 20]) {
    const model = load(new FastcgiModel(growing), 64, 6000 / serviceMs, () => serviceMs);
    const idealMs = 2000 + (64 * 6000 - 2 * 2000) / 16;
    assert.ok(model.now < 1.1 * idealMs + 2000, `${model.now} ms of ${serviceMs} ms each`);
  }
});

test('others who use the application get their turn', () => {
  const model = new FastcgiModel(children(2));
  for (let client = 0; client < 20; client += 1) model.client(200, () => 1);
  for (let at = 100; at < 1500; at += 200) model.stranger(at, 1);
  model.run();
  assert.ok(model.slowestMs < 1500, `${model.slowestMs} ms`);
});

test('an application that closes after each answer gets a connection for each request', () => {
  const model = load(new FastcgiModel({ children: () => 4, maxRequests: 1 }), 16, 50, () => 5);
  assert.ok(model.now < 1.1 * ((800 * 5) / 4), `${model.now} ms`);
});

test('whatever happens, every request is answered, and none twice that may not be', () => {
  for (let seed = 1; seed <= 500; seed += 1) {
    const random = randomFrom(seed * 7919);
    const between = (least: number, most: number): number =>
      least + Math.floor(random() * (most - least + 1));
    const count = between(1, 12);
    const later = between(1, 12);
    const changesMs = between(0, 500);
    const maxConnections = between(2, 100);
    const model = new FastcgiModel({
      children: (nowMs) => (nowMs < changesMs ? count : later),
      ...(random() < 0.5 && { maxRequests: between(1, 20) }),
      maxConnections,
    });
    const slowShare = random() < 0.5 ? 0 : random() * 0.2;
    const mutatingShare = random() < 0.5 ? 0 : random();
    const quickMs = 0.2 + random() * 20;
    for (let client = between(1, 50); client > 0; client -= 1) {
      const serviceMs = (): number => (random() < slowShare ? 500 : quickMs);
      model.client(between(1, 20), serviceMs, () => random() >= mutatingShare);
    }
    model.run();
    const what = `seed ${seed}`;
    assert.ok(
      model.requests.every(({ outcome }) => outcome === 'answered'),
      what,
    );
    assert.ok(
      model.requests.every(({ runs }) => runs === 1),
      what,
    );
    const work = model.requests.reduce((sum, { serviceMs }) => sum + serviceMs, 0);
    const idealMs = work / Math.min(count, later, maxConnections);
    assert.ok(model.now < 2 * idealMs + 3000, `${what}: ${model.now} ms instead of ${idealMs}`);
  }
});

test('a queue that is full fails nobody, and is not knocked at all the time', () => {
  for (const count of [1, 3]) {
    const model = load(new FastcgiModel({ children: () => count, maxBacklog: 1 }), 40, 50, () => 20);
    const seconds = model.now / 1000;
    assert.ok(model.connects <= count * (3 + 2 * seconds) + 40, `${model.connects} connects in ${seconds} s`);
    assert.ok(model.now < 1.1 * ((2000 * 20) / count), `${model.now} ms`);
  }
});

test('a script that ends its child after a while is not run again', () => {
  const retries = [0, 1000].map((ms) => {
    const sent: Link[] = [];
    const binding = new LateBinding<Asking>(
      { open: (link) => sent.push(link), send: (link) => sent.push(link), close() {}, refuse() {} },
      { maxConnections: 1, maxWaitMs: 60_000 },
    );
    const ask = (): Asking => {
      const request = { sinceMs: 0, isRepeatable: true };
      binding.ask(request);
      return request;
    };
    ask();
    const link = sent[0] as Link;
    binding.heard(link);
    binding.free(link);
    const request = ask();
    assert.equal(sent[1], link);
    for (let passed = 0; passed < ms; passed += TICK_MS) binding.tick();
    return binding.retry(link, request);
  });
  assert.deepEqual(retries, [true, false]);
});

test('who waits for too long is refused, and who leaves is forgotten', () => {
  const refused: Asking[] = [];
  const opened: Link[] = [];
  const binding = new LateBinding<Asking>(
    { open: (link) => opened.push(link), send() {}, close() {}, refuse: (request) => refused.push(request) },
    { maxConnections: 1, maxWaitMs: 100 },
  );
  const [first, second, third] = [0, 0, 0].map(() => ({ sinceMs: 0, isRepeatable: true })) as [
    Asking,
    Asking,
    Asking,
  ];
  for (const request of [first, second, third]) binding.ask(request);
  assert.equal(binding.waiting, 2);
  assert.equal(binding.withdraw(second), true);
  assert.equal(binding.withdraw(first), false, 'it is under way');
  for (let ms = 0; ms < 100; ms += TICK_MS) binding.tick();
  assert.deepEqual(refused, [third]);
  assert.equal(opened.length, 1);
});
