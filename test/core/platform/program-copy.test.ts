import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { bundleFixture, runPlain } from '../../helpers/plain-node.js';
import { needsPosix } from '../../helpers/programs.js';
import { ask } from '../../helpers/raw-http.js';
import { tempDir } from '../../helpers/temp-dir.js';

const run = async (t: TestContext, ...args: string[]) =>
  runPlain(t, await bundleFixture('copies.ts', tempDir(t)), args);

test(
  'copies of a program share a port, are replaced without a lost request, and end together',
  needsPosix,
  async (t) => {
    const program = await run(t, 'one');
    const lines = [await program.nextLine(), await program.nextLine(), await program.nextLine()];
    const messages = lines.filter((line) => line.includes('name')).map((line) => JSON.parse(line));
    assert.deepEqual(messages, [
      { name: 'one', count: 3 },
      { name: 'one', count: 3 },
    ]);
    const [port, other] = JSON.parse(lines.find((line) => line.startsWith('[')) as string);
    assert.equal(port, other);

    const before = new Set(
      await Promise.all(Array.from({ length: 20 }, async () => (await ask(port, '/')).text)),
    );
    assert.equal(before.size, 2);

    let isOver = false;
    const answers: string[] = [];
    const clients = Array.from({ length: 8 }, async () => {
      while (!isOver) answers.push((await ask(port, '/slow')).text);
    });
    program.child.kill('SIGHUP');
    for (let line = await program.nextLine(); !line.startsWith('['); line = await program.nextLine());
    isOver = true;
    await Promise.all(clients);
    assert.ok(answers.length >= 8);
    const after = new Set(
      await Promise.all(Array.from({ length: 20 }, async () => (await ask(port, '/')).text)),
    );
    assert.equal(after.size, 2);
    for (const pid of after) assert.ok(!before.has(pid));

    program.child.kill('SIGTERM');
    assert.equal(await program.nextLine(), 'over');
    await assert.rejects(ask(port, '/'));
  },
);

test('copies share a Unix socket and an inherited descriptor', needsPosix, async (t) => {
  const path = join(tempDir(t), 'copies.sock');
  const program = await run(t, 'one', JSON.stringify({ path }));
  for (let line = await program.nextLine(); !line.startsWith('['); line = await program.nextLine());
  const answer = await new Promise<string>((resolve, reject) => {
    get({ socketPath: path, path: '/' }, async (res) => resolve(await text(res))).on('error', reject);
  });
  assert.match(answer, /^\d+$/);

  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const bundle = await bundleFixture('copies.ts', tempDir(t));
  const heir = runPlain(t, bundle, ['one', '{"fd":3}'], {}, [fd]);
  for (let line = await heir.nextLine(); !line.startsWith('['); line = await heir.nextLine());
  server.close();
  await once(server, 'close');
  const pids = new Set<string>();
  for (let count = 0; count < 10; count += 1) pids.add((await ask(port, '/')).text);
  assert.equal(pids.size, 2);
});

test('a copy that cannot start says why', async (t) => {
  const program = await run(t, 'broken');
  assert.equal(await program.nextLine(), 'failed: it is broken PERMISSION mend it');
});
