import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WebSocket } from 'ws';
import { createNodeAnswerer } from '../../../../src/core/handlers/js/node-answerer.js';
import { trustNobody } from '../../../../src/core/http/forwarded.js';
import type { IncomingRequest } from '../../../../src/core/http/messages.js';
import { hostJs, needsPackage } from '../../../helpers/js-application.js';
import { serveHandler } from '../../../helpers/serve-handler.js';

const told = globalThis as { closed?: string[] };

/** What an application has told when it was closed, twice. */
async function closedBy(t: TestContext, text: string, name = 'app.mjs'): Promise<string[]> {
  told.closed = [];
  const { handler } = await hostJs(t, text, name);
  await handler.close?.();
  await handler.close?.();
  return told.closed;
}

test('an application is closed once, by what it exports as close and by that of its framework', async (t) => {
  const tell = (what: string): string => `close() { closed.push('${what}'); }`;
  for (const [text, expected] of [
    [`export default { fetch() {}, async ${tell('method')} }`, ['method']],
    [`export function fetch() {} export function ${tell('function')}`, ['function']],
    [`export default (req, res) => {}; export function ${tell('beside')}`, ['beside']],
    [
      `const app = { fetch() {}, ${tell('both')} }; export default app; export const close = app.close`,
      ['both'],
    ],
    [
      `import { createServer } from 'node:http'; const server = createServer(() => {}).on('close', () => closed.push('server')); server.listen(1);`,
      ['server'],
    ],
    ['export default { fetch() {} }', []],
  ] as const) {
    assert.deepEqual(await closedBy(t, text), expected, text);
  }
  assert.deepEqual(await closedBy(t, `module.exports = { fetch() {}, ${tell('common')} }`, 'app.cjs'), [
    'common',
  ]);
});

test('what an application does when its process is to end is done when it has answered its last request', async (t) => {
  const before = [process.listeners('SIGTERM'), process.listeners('SIGINT')];
  const { handler } = await hostJs(
    t,
    `const stop = (signal) => { closed.push('stop ' + signal); };
    process.on('SIGTERM', stop).on('SIGINT', stop);
    globalThis.ended = new Promise((done) => process.once('SIGINT', async (signal) => {
      closed.push('once ' + signal);
      done();
    }));
    export const fetch = () => new Response('hello');
    export const close = () => closed.push('close');`,
  );
  assert.deepEqual([process.listeners('SIGTERM'), process.listeners('SIGINT')], before);
  told.closed = [];
  await handler.close?.();
  assert.deepEqual(told.closed, ['close']);
  await (globalThis as { ended?: Promise<void> }).ended;
  assert.deepEqual(told.closed, ['close', 'stop SIGTERM', 'once SIGINT']);
});

test('a server that never listened, as we do, is closed without an error', async (t) => {
  const { handler } = await hostJs(
    t,
    `import { createServer } from 'node:http';
    const server = createServer(() => {}).listen(1, () => setImmediate(() => process.on('SIGTERM', () => {
      server.close((error) => globalThis.told(String(error)));
    })));`,
  );
  const late = Promise.withResolvers<string>();
  Object.assign(globalThis, { told: late.resolve });
  const before = process.listenerCount('SIGTERM');
  await nextTurn();
  await nextTurn();
  assert.equal(process.listenerCount('SIGTERM'), before);
  await handler.close?.();
  assert.equal(await late.promise, 'undefined');
});

test('an application with WebSockets is closed when they are all that is left', async (t) => {
  const { handler } = await hostJs(
    t,
    `import { WebSocketServer } from 'ws';
    const room = new WebSocketServer({ noServer: true });
    export default { fetch: () => new Promise((done) => { closed.push(() => done(new Response('slow'))); }) };
    export const upgrade = (...args) => room.handleUpgrade(...args, () => {});
    export const close = () => { for (const client of room.clients) client.close(4000, 'until later'); };`,
  );
  told.closed = [];
  const { port, server, origin } = await serveHandler(t, handler, { graceMs: 60_000 });
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(client, 'open');
  const answer = fetch(origin);
  while (told.closed.length === 0) await nextTurn();
  const stopped = server.close();
  const gone = once(client, 'close');
  client.ping();
  await once(client, 'pong');
  (told.closed[0] as unknown as () => void)();
  assert.equal(await (await answer).text(), 'slow');
  assert.equal((await gone)[0], 4000);
  await stopped;
});

test("Fastify's onClose hooks run", needsPackage('fastify'), async (t) => {
  const text = `import fastify from 'fastify'; const app = fastify(); app.addHook('onClose', async () => { closed.push('hook'); }); export default app;`;
  assert.deepEqual(await closedBy(t, text), ['hook']);
});

test('an application that fails to close, or never does, is logged and not waited for', async (t) => {
  const failing = await hostJs(t, `export default { fetch() {}, close() { throw new Error('not now'); } }`);
  await failing.handler.close?.();
  assert.match((await failing.events.find('application-log')).text, /not now\n\s+at .*app\.mjs/);
  const hung = await hostJs(
    t,
    'export default { fetch() {}, close: () => new Promise(() => {}) }',
    'app.mjs',
    { graceMs: 10 },
  );
  await hung.handler.close?.();
  assert.match((await hung.events.find('application-log')).text, /did not close within 0\.01 s/);
});

test('stacks show the steps of the application alone, unless all are wanted', async (t) => {
  const text = 'export default {}; JSON.parse("x");';
  for (const wholeStacks of [false, true]) {
    const events: string[] = [];
    await assert.rejects(
      hostJs(t, text, 'app.mjs', {
        wholeStacks,
        onEvent: (event) => {
          if (event.type === 'application-log') events.push(event.text);
        },
      }),
    );
    assert.equal(events.length, 1);
    assert.match(events[0] as string, /^SyntaxError: .*\n[\s\S]*app\.mjs/);
    assert.equal(/node:/.test(events[0] as string), wholeStacks);
  }
});

test('a factory that fails is told as such, with its stack', async (t) => {
  const text = `export function createApp() { throw new Error('no database'); }`;
  await assert.rejects(hostJs(t, text), { code: 'INTERNAL', message: /cannot be made: no database/ });
});

/** A request without a server, on a connection of its own. */
function bareRequest(connection: object): IncomingRequest {
  const address = { remoteAddress: '127.0.0.1', remotePort: 1, localAddress: '127.0.0.1', localPort: 2 };
  const target = { method: 'GET', target: '/', rawPath: '/', path: '/', query: '', httpVersion: '1.1' };
  const bare = { ...address, ...target, connection, headers: [], hasBody: false, onAbort() {} };
  return bare as unknown as IncomingRequest;
}

test('a request that is over leaves nothing behind, though one before it has grown old', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
  const failed = (): never => assert.fail('the listener failed');
  const answer = createNodeAnswerer(
    { kind: 'node', listener: async (_request, response) => response.end('x'), upgrade: undefined },
    { requestTimeoutMs: 60_000, isTrusted: trustNobody, logError: failed, failed },
  );
  const connection = {};
  const run = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      await answer(bareRequest(connection));
      await new Promise(setImmediate);
    }
  };
  const oldBytes = (): number =>
    getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')?.space_used_size ?? 0;
  await run(2000);
  collect();
  for (let time = 0; time < 3; time += 1) collect({ type: 'minor' });
  const before = oldBytes();
  await run(3000);
  for (let time = 0; time < 2; time += 1) collect({ type: 'minor' });
  // An exchange that is kept is 3000 bytes.
  assert.ok((oldBytes() - before) / 3000 < 1500);
});
