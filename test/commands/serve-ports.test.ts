import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { shareOf } from '../../src/commands/serve-limits.js';
import { ask } from '../helpers/raw-http.js';
import { run, start } from '../helpers/run.js';
import { spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

/** A port that somebody else has. */
async function takenPort(t: TestContext): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('a busy port is found before an application is started', async (t) => {
  const cwd = tempDir(t, {
    'app.mjs': 'throw new Error("started");',
    'app.py': 'raise Exception("started")',
  });
  const port = String(await takenPort(t));
  for (const argv of [
    ['app.mjs', port],
    ['app.py', port],
    ['app.mjs', port, '--workers', '2'],
    ['app.mjs', '0', '--admin', port],
    ['app.mjs', '0', '--tls', '--redirect-http', port],
  ]) {
    const { code, stderr } = await run(['serve', ...argv], { cwd, env: { HOME: cwd } });
    assert.equal(code, 45, argv.join(' '));
    assert.ok(!stderr.includes('started'), argv.join(' '));
  }
});

test('who comes while an application starts is answered once it has', async (t) => {
  const { promise: isStarting, resolve: starting } = Promise.withResolvers<() => void>();
  const gate = createServer((_request, response) => starting(() => response.end())).listen(0, '127.0.0.1');
  await once(gate, 'listening');
  t.after(() => gate.close());
  const { port } = gate.address() as AddressInfo;
  const cwd = tempDir(t, {
    'app.mjs': `await fetch('http://127.0.0.1:${port}/');
      export default { fetch: () => new Response('ready') };`,
  });
  const path = join(cwd, 'socket');
  const command = start(['serve', 'app.mjs', '--host', path], { cwd });
  t.after(() => command.stop());
  const go = await isStarting;
  const socket = connect({ path });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await once(socket, 'connect');
  go();
  assert.match(await text(socket), /^HTTP\/1\.1 200 .*ready/s);
});

test('an application that does not start leaves nobody waiting', async (t) => {
  const { promise: isStarting, resolve: starting } = Promise.withResolvers<() => void>();
  const gate = createServer((_request, response) => starting(() => response.end())).listen(0, '127.0.0.1');
  await once(gate, 'listening');
  t.after(() => gate.close());
  const { port } = gate.address() as AddressInfo;
  const cwd = tempDir(t, { 'app.mjs': `await fetch('http://127.0.0.1:${port}/'); throw new Error('no');` });
  const path = join(cwd, 'socket');
  const command = start(['serve', 'app.mjs', '--host', path], { cwd });
  const go = await isStarting;
  const socket = connect({ path });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  go();
  assert.equal((await command.done).code, 1);
  await closed;
});

test('--admin answers health and metrics at a port of its own, and only there', async (t) => {
  const command = start(['serve', tempDir(t), '0', '--admin', '0', '--auth', 'ann:secret', '--tls'], {
    env: { HOME: tempDir(t) },
  });
  t.after(() => command.stop());
  const site = await command.event('listening');
  const admin = await command.event('listening');
  assert.deepEqual([site.admin, admin.admin, admin.host], [undefined, true, '127.0.0.1']);
  assert.equal((await ask(admin.port, '/health')).text, 'ok\n');
  assert.match((await ask(admin.port, '/metrics')).text, /^nettool_processes 1$/m);
  assert.equal((await ask(admin.port, '/')).status, 404);
});

test('with --admin the site has no such paths; --health and --metrics name them', async (t) => {
  const flags = ['--admin', '0', '--health', '/up', '--metrics', '/figures'];
  const command = start(['serve', tempDir(t), '0', ...flags]);
  t.after(() => command.stop());
  const { port } = await command.event('listening');
  const admin = await command.event('listening');
  for (const path of ['/up', '/figures']) {
    assert.equal((await ask(port, path)).status, 404);
    assert.equal((await ask(admin.port, path)).status, 200);
  }
  assert.match((await ask(admin.port, '/figures')).text, /status="404"\} 2$/m);
});

test('--admin of several workers tells the figures of all', async (t) => {
  const command = spawnNettool(t, ['serve', tempDir(t), '0', '--workers', '2', '--admin', '0', '--json']);
  const [, admin] = await command.find('stdout', /"port":(\d+),"admin":true/);
  const [, port] = await command.find('stdout', /"type":"listening"[^\n]*"port":(\d+)\}/);
  for (let count = 0; count < 6; count += 1) await ask(Number(port), '/');
  assert.equal((await ask(Number(admin), '/health')).status, 200);
  assert.match((await ask(Number(admin), '/metrics')).text, /method="GET",status="200"\} 6$/m);
});

test('what is limited for the server is divided among its workers', () => {
  const host = '127.0.0.1';
  const shares = (total: number, workers: number): (number | undefined)[] =>
    Array.from({ length: workers }, (_, index) =>
      shareOf({ host, maxConnections: total }, index, workers),
    ).map(({ maxConnections }) => maxConnections);
  assert.deepEqual(shares(10, 4), [3, 3, 2, 2]);
  assert.deepEqual(shares(1, 2), [1, 1]);
  assert.deepEqual(shares(0, 2), [0, 0]);
  assert.equal(shareOf({ host }, 0, 4).cgiMax, 8);
});
