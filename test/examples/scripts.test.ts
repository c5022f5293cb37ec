import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { createCgiHandler } from '../../src/core/handlers/cgi.js';
import { createFastcgiHandler } from '../../src/core/handlers/fastcgi/index.js';
import { createJsHandler } from '../../src/core/handlers/js/index.js';
import { createStaticHandler } from '../../src/core/handlers/static/index.js';
import { PHP_FPM, startPhpFpm } from '../helpers/php-fpm.js';
import { needs, needsPosix } from '../helpers/programs.js';
import { serveHandler } from '../helpers/serve-handler.js';
import { tempDir } from '../helpers/temp-dir.js';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');

test('every example names the command that runs it in its first line', () => {
  const files = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' });
  const programs = files.filter((file) => /^(?:cgi|php|js)\/.*\.(?:sh|py|php|ts|mjs)$|\/app\.ts$/.test(file));
  assert.ok(programs.length >= 8);
  for (const file of programs) {
    const lines = readFileSync(join(EXAMPLES, file), 'utf8').split('\n');
    const first = lines.find((line) => !line.startsWith('#!')) ?? '';
    assert.match(first, /^(?:#|\/\/|<\?php \/\/) (?:.* && )?nettool serve examples\//, file);
    for (const [path] of first.matchAll(/examples\/[\w./-]+/g))
      assert.ok(existsSync(join(EXAMPLES, '..', path)), path);
  }
});

test('the CGI examples answer', { ...needsPosix, ...needs('sh', 'python3') }, async (t) => {
  const folder = join(EXAMPLES, 'cgi/bin');
  const { origin } = await serveHandler(t, createCgiHandler({ scripts: folder, prefix: '/cgi-bin' }));
  const hello = await fetch(`${origin}/cgi-bin/hello.sh/more%20path?name=you`, {
    method: 'POST',
    body: 'content',
  });
  assert.equal(
    await hello.text(),
    'method: POST\nscript: /cgi-bin/hello.sh\npath:   /more path\nquery:  name=you\nclient: 127.0.0.1\ncontent:\ncontent',
  );
  const refused = await fetch(`${origin}/cgi-bin/hello.sh`, { method: 'DELETE' });
  assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD, POST']);
  assert.match(await (await fetch(`${origin}/cgi-bin/count.py`)).text(), /<form>/);
  assert.match(await (await fetch(`${origin}/cgi-bin/count.py?to=3`)).text(), /<p>1 2 3<\/p>/);
  const bad = await fetch(`${origin}/cgi-bin/count.py?to=%3Cb%3E`);
  assert.equal(bad.status, 422);
  assert.match(await bad.text(), /&lt;b&gt;/);
  for (const name of readdirSync(folder)) assert.ok(statSync(join(folder, name)).mode & 0o100, name);
});

test('the PHP page answers, beside it a file', needs(PHP_FPM), async (t) => {
  const root = join(EXAMPLES, 'php');
  const address = `unix:${await startPhpFpm(t, tempDir(t))}`;
  const fallback = createStaticHandler({
    kind: 'static',
    root,
    showHidden: false,
    followLinks: false,
    listing: false,
  });
  const { origin } = await serveHandler(t, createFastcgiHandler({ address, root, fallback: await fallback }));
  assert.match(await (await fetch(origin)).text(), /<h1>Hello nobody<\/h1>[\s\S]*GET \/ by PHP 8/);
  const named = await fetch(origin, { method: 'POST', body: new URLSearchParams({ name: '<Ann>' }) });
  assert.match(await named.text(), /<h1>Hello &lt;Ann&gt;<\/h1>/);
  assert.equal((await fetch(`${origin}/?name=`)).status, 422);
  const api = await fetch(`${origin}/api.php/some/path?q=1`, { method: 'PUT', body: '{"a":[1]}' });
  assert.deepEqual(await api.json(), {
    method: 'PUT',
    path: '/some/path',
    query: { q: '1' },
    body: { a: [1] },
  });
  assert.match((await fetch(`${origin}/style.css`)).headers.get('content-type') ?? '', /^text\/css/);
});

test('the smallest application answers', async (t) => {
  const { origin } = await serveHandler(t, await createJsHandler({ file: join(EXAMPLES, 'js/hello.ts') }));
  assert.equal(await (await fetch(`${origin}/?name=you`)).text(), 'hello you\n');
});

test('the chat passes messages on', async (t) => {
  const handler = await createJsHandler({ file: join(EXAMPLES, 'js/chat.mjs') });
  const { port } = await serveHandler(t, handler);
  const [one, other] = [new WebSocket(`ws://127.0.0.1:${port}/`), new WebSocket(`ws://127.0.0.1:${port}/`)];
  await Promise.all([once(one, 'open'), once(other, 'open')]);
  const heard = once(other, 'message');
  one.send('to all');
  assert.equal(String((await heard)[0]), 'to all');
  one.terminate();
  other.terminate();
});
