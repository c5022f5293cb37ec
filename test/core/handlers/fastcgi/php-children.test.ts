import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type TestContext, test } from 'node:test';
import { createFastcgiHandler } from '../../../../src/core/handlers/fastcgi/index.js';
import { PHP_FPM, startPhpFpm } from '../../../helpers/php-fpm.js';
import { needs } from '../../../helpers/programs.js';
import { serveHandler } from '../../../helpers/serve-handler.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const PAGES: Record<string, string> = {
  'pid.php': '<?php echo getmypid();',
  // Waits until as many run as are wanted, so that it is over only when they run at the same time.
  'together.php': `<?php touch(__DIR__ . "/run." . getmypid()); echo " "; flush();
    for ($i = 0; $i < 500 && count(glob(__DIR__ . "/run.*")) < $_GET["count"]; $i++) usleep(10000);
    echo count(glob(__DIR__ . "/run.*"));`,
  'long.php': '<?php for ($i = 0; $i < 140; $i++) echo str_pad((string) $i, 50000);',
  'count.php': '<?php file_put_contents(__DIR__ . "/counted", ".", FILE_APPEND | LOCK_EX); echo "ok";',
};

/** Hands connections on to another socket, and counts them. */
async function countConnections(t: TestContext, path: string, target: string) {
  const counted = { connections: 0 };
  const server = createServer((client) => {
    counted.connections += 1;
    const behind = connect(target);
    pipeline(client, behind, client).catch(() => {});
  }).listen(path);
  await once(server, 'listening');
  t.after(() => server.close());
  return counted;
}

async function start(t: TestContext, ...pool: string[]) {
  const root = tempDir(t);
  for (const [name, text] of Object.entries(PAGES)) writeFileSync(join(root, name), text);
  const socket = await startPhpFpm(t, root, pool);
  return { root, socket, ...(await serve(t, root, socket)) };
}

async function serve(t: TestContext, root: string, socket: string) {
  const { origin } = await serveHandler(t, createFastcgiHandler({ address: `unix:${socket}`, root }));
  const ask = async (path: string, init?: RequestInit): Promise<Response> => {
    const response = await fetch(`${origin}${path}`, init);
    assert.equal(response.status, 200);
    return response;
  };
  return { ask, text: async (path: string) => (await ask(path)).text() };
}

/** So many at a time, so often. */
function clients(count: number, times: number, run: () => Promise<void>): Promise<unknown> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      for (let time = 0; time < times; time += 1) await run();
    }),
  );
}

test('forty clients share two children over a few connections', needs(PHP_FPM), async (t) => {
  const { root, socket } = await start(t, 'pm = static', 'pm.max_children = 2');
  const front = join(root, 'front.sock');
  const counted = await countConnections(t, front, socket);
  const { text } = await serve(t, root, front);
  const pids = new Set<string>();
  await clients(40, 25, async () => void pids.add(await text('/pid.php')));
  assert.equal(pids.size, 2);
  assert.ok(counted.connections < 100, `${counted.connections} connections for 1000 requests`);
});

test('one child answers everybody', needs(PHP_FPM), async (t) => {
  const { text } = await start(t, 'pm = static', 'pm.max_children = 1');
  const pids = new Set<string>();
  await clients(30, 1, async () => void pids.add(await text('/pid.php')));
  assert.equal(pids.size, 1);
});

test('a client that does not read its answer holds no child up', needs(PHP_FPM), async (t) => {
  const { ask, text } = await start(t, 'pm = static', 'pm.max_children = 1');
  const response = await ask('/long.php');
  assert.match(await text('/pid.php'), /^\d+$/);
  const pieces = (await response.text()).split(/ +/);
  assert.deepEqual(pieces, [...Array.from({ length: 140 }, (_, index) => String(index)), '']);
});

test('slow scripts run at the same time, as many as there are children', needs(PHP_FPM), async (t) => {
  const { text } = await start(t, 'pm = static', 'pm.max_children = 6');
  await clients(3, 20, async () => void (await text('/pid.php')));
  const counts: string[] = [];
  await clients(6, 1, async () => void counts.push((await text('/together.php?count=6')).trim()));
  assert.deepEqual(counts, Array(6).fill('6'));
});

test('php-fpm starts children when it has too few', needs(PHP_FPM), async (t) => {
  const { ask } = await start(t, 'pm = ondemand', 'pm.max_children = 5');
  const responses: Response[] = [];
  // One after the other has begun: it does not count how many connections wait.
  for (let count = 0; count < 5; count += 1) responses.push(await ask('/together.php?count=5'));
  const counts = await Promise.all(responses.map(async (response) => (await response.text()).trim()));
  assert.deepEqual(counts, Array(5).fill('5'));
});

test('children that leave after some requests lose none, and repeat none', needs(PHP_FPM), async (t) => {
  const { root, ask, text } = await start(t, 'pm = static', 'pm.max_children = 2', 'pm.max_requests = 5');
  await clients(10, 20, async () => {
    await text('/pid.php');
    await ask('/count.php', { method: 'POST', body: 'x' });
  });
  assert.equal(readFileSync(join(root, 'counted'), 'utf8').length, 200);
});
