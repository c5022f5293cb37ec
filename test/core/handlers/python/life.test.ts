import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type HostedApplication, hostPython, noSystemPython } from '../../../helpers/python.js';
import { ask, exchange, open } from '../../../helpers/raw-http.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const skip = noSystemPython;
const wsgi = (t: TestContext, options = {}): Promise<HostedApplication> =>
  hostPython(t, 'wsgi_traps:application', options);
const asgi = (t: TestContext, options = {}): Promise<HostedApplication> =>
  hostPython(t, 'asgi_traps:app', options);

const page = (text: string): string =>
  `def app(environ, start_response):\n    start_response("200 OK", [])\n    return [b"${text}"]\n`;

/** Resolves when the one worker was replaced: a request would wait for that no longer than for its own time-out. */
async function replaced({ find }: HostedApplication): Promise<void> {
  const { pid } = await find('worker', ({ state }) => state === 'ready');
  await find('worker', (event) => event.state === 'ready' && event.pid !== pid);
}

test('a worker that dies costs its one request 502; those behind it are answered by its successor', {
  skip,
}, async (t) => {
  const { port, find } = await wsgi(t);
  const answers = await Promise.all([
    ask(port, '/die'),
    ...Array.from({ length: 8 }, () => ask(port, '/no-length')),
  ]);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array(8).fill(200), 502]);
  assert.match((await find('worker', ({ state }) => state === 'died')).reason ?? '', /exit code 9/);
  assert.match((await find('application-error')).message, /the worker \(pid \d+\) ended: exit code 9/);
});

test('a crash costs one request, whatever killed the worker', { skip }, async (t) => {
  const { port, find, events } = await wsgi(t);
  assert.equal((await ask(port, '/segfault')).status, 502);
  assert.equal(
    (await find('application-error')).message.replace(/\d+/, 'N'),
    'the worker (pid N) ended: signal SIGSEGV',
  );
  assert.equal((await ask(port, '/no-length')).status, 200);
  const lines = events.flatMap((event) => (event.type === 'application-output' ? [event.line] : []));
  assert.match(lines.join('\n'), /Segmentation fault[\s\S]*wsgi_traps\.py", line \d+ in <lambda>/);
  const request = 'GET /killed-halfway HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  const cut = (await exchange(port, request)).toString();
  assert.match(cut, /begun/);
  assert.doesNotMatch(cut, /0\r\n\r\n$/);
  assert.equal((await ask(port, '/no-length')).status, 200);
});

test('SIGTERM to a worker is left to the server; what the worker forks obeys it', { skip }, async (t) => {
  const { port, events } = await wsgi(t);
  assert.equal((await ask(port, '/terminated')).text, 'still here');
  assert.equal((await ask(port, '/forks')).text, '15');
  assert.ok(!events.some((event) => event.type === 'worker' && event.state === 'died'));
});

test('a fork that comes out of the application ends as it says, and answers nobody', { skip }, async (t) => {
  for (const threads of [1, 3]) {
    const { port, events } = await wsgi(t, { threads });
    assert.equal((await ask(port, '/fork-ends?exit')).text, '5');
    assert.equal((await ask(port, '/fork-ends?answer')).text, '0');
    assert.equal((await ask(port, '/pid')).status, 200);
    const said = events.filter(({ type }) => type === 'application-output' || type === 'application-error');
    assert.deepEqual(said, []);
  }
});

test('a request that computes for ever gets 504 and its worker is killed', { skip }, async (t) => {
  const app = await wsgi(t, { requestTimeoutMs: 300, graceMs: 300 });
  const { port, find, events } = app;
  assert.equal((await ask(port, '/loop')).status, 504);
  const { pid } = await find('worker', ({ state }) => state === 'retiring');
  await find('worker', (event) => event.state === 'stopped' && event.pid === pid);
  assert.throws(() => process.kill(pid as number, 0));
  await replaced(app);
  assert.equal((await ask(port, '/no-length')).status, 200);
  const lines = events.flatMap((event) => (event.type === 'application-output' ? [event.line] : []));
  assert.match(lines.join('\n'), /wsgi_traps\.py", line \d+ in endless_loop/);
});

test('a request that hangs gets 504, its stack goes to the log, and the worker is replaced', {
  skip,
}, async (t) => {
  const app = await wsgi(t, { requestTimeoutMs: 300 });
  const { port, find, events } = app;
  const hanging = ask(port, '/sleep?60');
  await delay(50);
  assert.equal((await hanging).status, 504);
  await find('worker', ({ state, reason }) => state === 'retiring' && /more than 0\.3 s/.test(reason ?? ''));
  await replaced(app);
  assert.equal((await ask(port, '/no-length')).status, 200);
  const lines = events.flatMap((event) => (event.type === 'application-output' ? [event.line] : []));
  assert.match(lines.join('\n'), /wsgi_traps\.py", line \d+ in <lambda>/);
});

test('a thread that hangs does not take the others with it', { skip }, async (t) => {
  const { port, find } = await wsgi(t, { threads: 2, requestTimeoutMs: 1500 });
  const hanging = ask(port, '/sleep?60');
  await delay(1200);
  const other = ask(port, '/sleep?0.8');
  assert.equal((await hanging).status, 504);
  await find('worker', ({ state }) => state === 'retiring');
  assert.equal((await other).text, 'slept');
  await find('worker', ({ state }) => state === 'stopped');
  assert.equal((await ask(port, '/no-length')).status, 200);
});

test('requests behind one that is slow are given to another worker', { skip }, async (t) => {
  const { port, get } = await wsgi(t, { workers: 2 });
  for (let round = 0; round < 300; round++) await get('/no-length');
  const slow = Promise.all([ask(port, '/sleep?1'), ask(port, '/no-length'), ask(port, '/no-length')]);
  const started = performance.now();
  await Promise.all(Array.from({ length: 20 }, () => ask(port, '/no-length')));
  assert.ok(performance.now() - started < 700);
  await slow;
});

test('a request nobody is free for gets 503 when its time is up', { skip }, async (t) => {
  const { port } = await wsgi(t, { requestTimeoutMs: 400, maxQueued: 1 });
  const first = ask(port, '/sleep?1');
  await delay(100);
  const second = ask(port, '/no-length');
  await delay(50);
  const third = await ask(port, '/no-length');
  assert.equal(third.status, 503, 'one may wait, not two');
  assert.equal(third.header('Retry-After'), '1');
  assert.equal((await first).status, 504);
  assert.ok([200, 503].includes((await second).status));
});

test('an event loop lets go of one request that hangs, and serves on', { skip }, async (t) => {
  const { port, events } = await asgi(t, { requestTimeoutMs: 300 });
  const { text: pid } = await ask(port, '/pid');
  assert.equal((await ask(port, '/hang')).status, 504);
  assert.equal((await ask(port, '/pid')).text, pid);
  const lines = events.flatMap((event) => (event.type === 'application-output' ? [event.line] : []));
  assert.match(lines.join('\n'), /GET \/hang took too long[\s\S]*in hang/);
});

test('an event loop that is blocked is replaced', { skip }, async (t) => {
  const app = await asgi(t, { requestTimeoutMs: 1000 });
  const { port, find, events } = app;
  assert.equal((await ask(port, '/block')).status, 504);
  await find('worker', ({ state, reason }) => state === 'retiring' && /blocked/.test(reason ?? ''));
  await replaced(app);
  assert.equal((await ask(port, '/ok')).status, 200);
  const lines = events.flatMap((event) => (event.type === 'application-output' ? [event.line] : []));
  assert.match(lines.join('\n'), /in block/);
});

test('workers are replaced after their requests without losing one', { skip }, async (t) => {
  const { handler, get, events } = await wsgi(t, { maxRequests: 50 });
  const retired = (): number =>
    events.filter((event) => event.type === 'worker' && event.state === 'retiring').length;
  for (let round = 0; round < 200 && retired() < 3; round++) {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => get('/no-length').then((one) => one.text())),
    );
    assert.deepEqual(new Set(answers), new Set(['one part']));
  }
  assert.ok(retired() >= 3);
  assert.equal(handler.stats.active, 0);
});

test('a reload takes the new code without losing a request, and keeps the old when the new is broken', {
  skip,
}, async (t) => {
  const folder = tempDir(t);
  const file = join(folder, 'app.py');
  writeFileSync(file, page('one'));
  const { handler, get } = await hostPython(t, file);
  let lost = 0;
  let isOver = false;
  const load = (async () => {
    while (!isOver) if ((await get('/')).status !== 200) lost++;
  })();
  writeFileSync(file, page('two'));
  await handler.reload('test');
  assert.equal(await (await get('/')).text(), 'two');
  writeFileSync(file, 'def app(:\n');
  await assert.rejects(handler.reload('test'), { message: /does not start: SyntaxError/ });
  assert.equal(await (await get('/')).text(), 'two');
  writeFileSync(file, 'async def app(scope, receive, send):\n    pass\n');
  await assert.rejects(handler.reload('test'), { message: /it was WSGI and is ASGI now/ });
  isOver = true;
  await load;
  assert.equal(lost, 0);
});

test('an event loop is replaced under load, by a reload and after its requests, without losing one', {
  skip,
}, async (t) => {
  const { handler, port, events } = await asgi(t, { workers: 2, maxRequests: 100 });
  const statuses = new Map<number, number>();
  let isOver = false;
  const client = async (): Promise<void> => {
    for (let round = 0; !isOver; round++) {
      const answer = await ask(port, round % 2 ? '/ok' : '/echo', { method: 'POST', body: 'x' });
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
  };
  const clients = Array.from({ length: 4 }, client);
  await handler.reload('test');
  await handler.reload('test');
  const recycled = (): number =>
    events.filter(
      ({ type, ...rest }) => type === 'worker' && 'reason' in rest && /has answered/.test(rest.reason ?? ''),
    ).length;
  while (recycled() < 3) await delay(20);
  isOver = true;
  await Promise.all(clients);
  assert.deepEqual([...statuses.keys()], [200]);
});

test('reload watches the files of the application and what it imports', { skip }, async (t) => {
  const folder = tempDir(t);
  writeFileSync(join(folder, 'words.py'), 'WORD = b"one"\n');
  const source = 'from words import WORD\ndef app(e, s):\n    s("200 OK", [])\n    return [WORD]\n';
  writeFileSync(join(folder, 'app.py'), source);
  const { get, find } = await hostPython(t, join(folder, 'app.py'), { reload: true });
  // Python looks at the size and the second of a file to see whether its bytecode is still right.
  writeFileSync(join(folder, 'words.py'), 'WORD = b"broken\n');
  const failed = await find('reload', ({ ok }) => !ok);
  assert.match(failed.message ?? '', /SyntaxError.*; the code that ran serves on/);
  assert.equal(await (await get('/')).text(), 'one');
  writeFileSync(join(folder, 'words.py'), 'WORD = b"second"\n');
  assert.match((await find('reload', ({ ok }) => ok)).reason, /words\.py has changed/);
  assert.equal(await (await get('/')).text(), 'second');
});

test('closing finishes what runs and takes nothing new', { skip }, async (t) => {
  const { handler, port } = await wsgi(t);
  const running = ask(port, '/sleep?0.3');
  await delay(100);
  const closing = handler.close();
  assert.equal((await ask(port, '/no-length')).status, 503);
  assert.equal((await running).text, 'slept');
  await closing;
});

test('a stream that never ends is cut when its worker has to go', { skip }, async (t) => {
  const { handler, port } = await asgi(t, { graceMs: 300 });
  const socket = await open(port, 'GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.resume();
  const ended = new Promise((resolve) => socket.once('close', resolve));
  await delay(100);
  const started = performance.now();
  await handler.close();
  assert.ok(performance.now() - started < 3000);
  await ended;
});
