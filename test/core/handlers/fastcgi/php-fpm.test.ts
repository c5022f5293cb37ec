import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createFastcgiHandler, type FastcgiOptions } from '../../../../src/core/handlers/fastcgi/index.js';
import { PHP_FPM, startPhpFpm } from '../../../helpers/php-fpm.js';
import { needs } from '../../../helpers/programs.js';
import { Events, openSocket, serveHandler } from '../../../helpers/serve-handler.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const PAGES: Record<string, string> = {
  'index.php': '<?php header("Content-Type: text/plain"); echo "index ", $_SERVER["REQUEST_URI"];',
  'vars.php': '<?php header("Content-Type: application/json"); echo json_encode($_SERVER);',
  'echo.php': '<?php echo strlen($b = file_get_contents("php://input")), " ", hash("sha256", $b);',
  'status.php': '<?php http_response_code(418); echo "tea";',
  'redirect.php': '<?php header("Location: /elsewhere");',
  'cookies.php': '<?php setcookie("a", "1"); setcookie("b", "2"); echo "ok";',
  'untyped.php': '<?php ini_set("default_mimetype", ""); echo "whatever";',
  'log.php': '<?php error_log("from the script"); echo "logged";',
  'fatal.php': '<?php nowhere();',
  'big.php': '<?php for ($i = 0; $i < 200; $i++) echo str_repeat("0123456789abcdef", 4096);',
  'long.php': '<?php header("Content-Length: 3"); echo "abcdef";',
  'sleep.php': '<?php sleep(30);',
  'pid.php': '<?php echo getmypid();',
  'stream.php': `<?php echo str_repeat(" ", 10); flush(); for ($i = 0; $i < 100; $i++) { echo str_repeat("x", 100000); flush(); usleep(100000); }
    file_put_contents(__DIR__ . "/finished", "yes");`,
  'finish.php': '<?php echo "early"; fastcgi_finish_request(); usleep(500000);',
  'sub/index.php': '<?php echo "sub ", $_SERVER["SCRIPT_NAME"];',
  'style.css': 'body{}',
  'upload.jpg': '<?php echo "pwned";',
  'up.\u017fhp': 'x',
};

async function start(t: TestContext, options: Partial<FastcgiOptions> = {}) {
  const folder = tempDir(t);
  const root = join(folder, 'site');
  for (const [name, text] of Object.entries(PAGES)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  const socket = await startPhpFpm(t, folder);
  const events = new Events();
  const handler = createFastcgiHandler({ address: `unix:${socket}`, root, onEvent: events.add, ...options });
  return { ...(await serveHandler(t, handler)), root, events };
}

test('php-fpm answers pages behind us', needs(PHP_FPM), async (t) => {
  const { origin, raw, root, events } = await start(t);
  const text = async (path: string, init?: RequestInit) => (await fetch(`${origin}${path}`, init)).text();
  const statusOf = async (path: string) => (await fetch(`${origin}${path}`, { redirect: 'manual' })).status;

  await t.test('with the variables it expects', async () => {
    const vars = JSON.parse(
      await text('/vars.php/more%20path?a=%41', {
        headers: {
          Authorization: 'Bearer x',
          Proxy: 'http://evil/',
          X_Under: 'no',
          'X-Forwarded-For': '6.6.6.6',
        },
      }),
    );
    assert.equal(vars.SCRIPT_NAME, '/vars.php');
    assert.equal(vars.PATH_INFO, '/more path');
    assert.equal(vars.SCRIPT_FILENAME, join(root, 'vars.php'));
    assert.equal(vars.DOCUMENT_ROOT, root);
    assert.equal(vars.QUERY_STRING, 'a=%41');
    assert.equal(vars.REQUEST_URI, '/vars.php/more%20path?a=%41');
    assert.equal(vars.HTTP_AUTHORIZATION, 'Bearer x');
    assert.equal(vars.REMOTE_ADDR, '127.0.0.1');
    assert.equal(vars.HTTP_PROXY, undefined);
    assert.equal(vars.HTTP_X_UNDER, undefined);
    assert.equal(vars.HTTP_X_FORWARDED_FOR, undefined);
  });

  await t.test('with bodies of every size, counted and in chunks', async () => {
    for (const size of [0, 1, 65_528, 65_529, 3_000_000]) {
      const body = Buffer.alloc(size, 'nettool');
      const expected = `${size} ${createHash('sha256').update(body).digest('hex')}`;
      assert.equal(await text('/echo.php', { method: 'POST', body }), expected);
    }
    const chunked = await raw(
      'POST /echo.php HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    );
    assert.ok(chunked.includes(`3 ${createHash('sha256').update('abc').digest('hex')}`));
  });

  await t.test('with their statuses, redirects and repeated fields', async () => {
    assert.equal(await statusOf('/status.php'), 418);
    const redirect = await fetch(`${origin}/redirect.php`, { redirect: 'manual' });
    assert.equal(redirect.status, 302);
    assert.equal(redirect.headers.get('location'), '/elsewhere');
    const cookies = await fetch(`${origin}/cookies.php`);
    assert.deepEqual(cookies.headers.getSetCookie(), ['a=1', 'b=2']);
    assert.equal((await fetch(`${origin}/vars.php`, { method: 'HEAD' })).status, 200);
    const untyped = await fetch(`${origin}/untyped.php`);
    assert.deepEqual([untyped.headers.get('content-type'), await untyped.text()], [null, 'whatever']);
  });

  await t.test('of folders, and of paths that are nothing, by index.php', async () => {
    assert.equal(await text('/'), 'index /');
    assert.equal(await text('/sub/'), 'sub /sub/index.php');
    assert.equal(await text('/pretty/url?x=1'), 'index /pretty/url?x=1');
    const name = `/${'n'.repeat(300)}`;
    assert.equal(await text(name), `index ${name}`, 'no file can have such a name');
    assert.equal(await statusOf('/nothing.php'), 404);
    assert.equal(await statusOf('/style.css'), 404, 'no fallback was given');
  });

  await t.test('of folders below a slash, unless something would be lost on the way there', async () => {
    const { status, headers } = await fetch(`${origin}/sub?x=1`, { redirect: 'manual' });
    assert.deepEqual([status, headers.get('location')], [301, '/sub/?x=1']);
    assert.equal(await text('/sub', { method: 'POST', body: 'x' }), 'sub /sub/index.php');
  });

  await t.test('with whatever follows their names', async () => {
    const infoOf = async (path: string) => JSON.parse(await text(path)).PATH_INFO;
    assert.equal(await infoOf('/vars.php/files/.profile'), '/files/.profile');
    assert.equal(await infoOf('/vars.php/AC%2FDC'), '/AC/DC');
    assert.equal(await infoOf('/vars.php%2F%5Co%2F'), '/\\o/');
    assert.equal(await text('/style.css%2F..%2Fvars.php'), 'index /style.css%2F..%2Fvars.php');
  });

  await t.test('but runs nothing that is no script', async () => {
    assert.equal(await statusOf('/upload.jpg/x.php'), 404);
    assert.equal(
      await text('/upload.jpg%2fx.php'),
      'index /upload.jpg%2fx.php',
      'undecoded, for index.php to judge',
    );
    assert.equal(await statusOf('/up.%c5%bfhp'), 404);
    assert.equal(await text('/..%2fsite/pid.php'), 'index /..%2fsite/pid.php');
    assert.equal(await statusOf('/a%2f.env'), 404);
    symlinkSync('/etc/passwd', join(root, 'out.php'));
    assert.equal(await statusOf('/out.php'), 404);
  });

  await t.test('and what it complains of goes to the log', async () => {
    assert.equal(await text('/log.php'), 'logged');
    const event = await events.find('application-log', ({ target }) => target === '/log.php');
    assert.match(event.text, /from the script/);
    assert.equal(await statusOf('/fatal.php'), 500);
    await events.find('application-log', ({ text: line }) => line.includes('undefined function nowhere()'));
  });

  await t.test('whole, or cut at the length they announce', async () => {
    const big = await text('/big.php');
    assert.equal(big.length, 200 * 65_536);
    assert.equal(await text('/long.php'), 'abc');
  });

  await t.test('on connections that are kept', async () => {
    const pids = new Set<string>();
    for (let turn = 0; turn < 8; turn += 1) pids.add(await text('/pid.php'));
    // Once a second another one gets its turn.
    assert.ok(pids.size <= 2);
    await Promise.all(Array.from({ length: 20 }, () => text('/pid.php')));
  });

  await t.test('also when the script goes on after its answer', async () => {
    const started = performance.now();
    assert.equal(await text('/finish.php'), 'early');
    assert.ok(performance.now() - started < 400);
    const pids = await Promise.all(Array.from({ length: 4 }, () => text('/pid.php')));
    assert.equal(pids.length, 4);
  });

  await t.test('and stops when the client leaves', async () => {
    const { port } = new URL(origin);
    const socket = await openSocket(t, Number(port));
    socket.write('GET /stream.php HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(existsSync(join(root, 'finished')), false);
  });
});

test(
  'scripts behind links that leave the folder are run where links are followed',
  needs(PHP_FPM),
  async (t) => {
    const elsewhere = join(tempDir(t), 'linked.php');
    writeFileSync(elsewhere, '<?php echo "linked";');
    const { origin, root } = await start(t, { followLinks: true });
    symlinkSync(elsewhere, join(root, 'out.php'));
    assert.equal(await (await fetch(`${origin}/out.php`)).text(), 'linked');
  },
);

test('which script php-fpm did not find is told in the log', needs(PHP_FPM), async (t) => {
  const { origin, events } = await start(t, { scriptRoot: '/elsewhere' });
  assert.equal((await fetch(`${origin}/vars.php`)).status, 404);
  const { text } = await events.find('application-log', ({ target }) => target === '/vars.php');
  assert.equal(text, 'Primary script unknown: /elsewhere/vars.php');
});

test('a script that hangs is 504, one without an application 502', needs(PHP_FPM), async (t) => {
  const { origin, events, root } = await start(t, { timeoutMs: 300 });
  assert.equal((await fetch(`${origin}/sleep.php`)).status, 504);
  const event = await events.find('application-error');
  assert.match(event.message, /said nothing for 300 ms/);
  const alone = await serveHandler(t, createFastcgiHandler({ address: 'unix:/nowhere.sock', root }));
  assert.equal((await fetch(`${alone.origin}/pid.php`)).status, 502);
  rmSync(root, { recursive: true });
});
