import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CgiOptions, createCgiHandler } from '../../../src/core/handlers/cgi.js';
import { hasFfi } from '../../../src/core/platform/ffi.js';
import { platform } from '../../../src/core/platform/os.js';
import { Events, openSocket, serveHandler } from '../../helpers/serve-handler.js';
import { tempDir } from '../../helpers/temp-dir.js';

/** Elsewhere sockets do as well, or nothing else can be had. */
const needsPipes = platform === 'linux' && hasFfi() ? {} : { skip: 'needs pipe2' };

const ECHO = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
env | sort
printf 'args=%s\\n' "$#"
pwd
cat
`;

function scripts(t: TestContext, files: Record<string, string>): string {
  const folder = join(tempDir(t), 'cgi');
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

async function start(t: TestContext, files: Record<string, string>, options: Partial<CgiOptions> = {}) {
  const folder = scripts(t, files);
  const events = new Events();
  const handler = createCgiHandler({
    scripts: folder,
    prefix: '/cgi-bin/',
    onEvent: events.add,
    killAfterMs: 200,
    ...options,
  });
  const served = await serveHandler(t, handler);
  return { ...served, folder, events, handler };
}

const sh = (body: string): string => `#!/bin/sh\n${body}\n`;

test('a script sees the variables of RFC 3875 and nothing of our environment', async (t) => {
  const { origin, port, folder } = await start(t, { 'echo.sh': ECHO });
  process.env.NETTOOL_SECRET = 'do not tell';
  t.after(() => delete process.env.NETTOOL_SECRET);
  const response = await fetch(`${origin}/cgi-bin/echo.sh/a%20b/c?q=%41&x`, {
    headers: {
      'X-Thing': 'one',
      Proxy: 'http://evil/',
      Authorization: 'Basic eDp5',
      X_Under: 'no',
      'X-Forwarded-For': '6.6.6.6',
    },
  });
  const text = await response.text();
  assert.equal(response.status, 200);
  for (const line of [
    'GATEWAY_INTERFACE=CGI/1.1',
    'QUERY_STRING=q=%41&x',
    'REMOTE_ADDR=127.0.0.1',
    'REQUEST_METHOD=GET',
    'SCRIPT_NAME=/cgi-bin/echo.sh',
    'PATH_INFO=/a b/c',
    `PATH_TRANSLATED=${folder}/a b/c`,
    'REQUEST_URI=/cgi-bin/echo.sh/a%20b/c?q=%41&x',
    `SCRIPT_FILENAME=${folder}/echo.sh`,
    'SERVER_NAME=127.0.0.1',
    `SERVER_PORT=${port}`,
    'SERVER_PROTOCOL=HTTP/1.1',
    'REDIRECT_STATUS=200',
    'HTTP_X_THING=one',
    'args=0',
    folder,
  ]) {
    assert.ok(text.split('\n').includes(line), `${line} in\n${text}`);
  }
  assert.doesNotMatch(
    text,
    /HTTP_PROXY|HTTP_AUTHORIZATION|HTTP_X_UNDER|FORWARDED|NETTOOL_SECRET|CONTENT_LENGTH/,
  );
});

test('a query without an equals sign never becomes an argument', async (t) => {
  const { origin } = await start(t, { 'echo.sh': ECHO });
  const text = await (await fetch(`${origin}/cgi-bin/echo.sh?-s+-d`)).text();
  assert.match(text, /^args=0$/m);
});

test('bodies arrive, with their length, also when they came in chunks', async (t) => {
  const { origin, raw } = await start(t, { 'echo.sh': ECHO });
  const plain = await (await fetch(`${origin}/cgi-bin/echo.sh`, { method: 'POST', body: 'hello' })).text();
  assert.match(plain, /^CONTENT_LENGTH=5$/m);
  assert.ok(plain.endsWith('hello'));
  const chunked = await raw(
    'POST /cgi-bin/echo.sh HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n',
  );
  assert.match(chunked, /^CONTENT_LENGTH=7$/m);
  assert.doesNotMatch(chunked, /TRANSFER_ENCODING/);
  assert.match(chunked, /abcdefg/);
});

test('a large body goes through a file and comes back whole', async (t) => {
  const { origin } = await start(t, {
    'sum.sh': sh('printf "Content-Type: text/plain\\n\\n"; head -c "$CONTENT_LENGTH" | sha256sum'),
  });
  const body = Buffer.alloc(5_000_000, 'nettool');
  const response = await fetch(`${origin}/cgi-bin/sum.sh`, { method: 'POST', body });
  const { createHash } = await import('node:crypto');
  assert.equal((await response.text()).slice(0, 64), createHash('sha256').update(body).digest('hex'));
});

test('a body over the limit is 413 and starts no script', async (t) => {
  const { origin, folder } = await start(
    t,
    { 'touch.sh': sh('touch ran; printf "Status: 204\\n\\n"') },
    { maxBodyBytes: 10 },
  );
  const response = await fetch(`${origin}/cgi-bin/touch.sh`, { method: 'POST', body: 'x'.repeat(11) });
  assert.equal(response.status, 413);
  assert.equal(existsSync(join(folder, 'ran')), false);
});

test('a script that reads nothing of its input still answers', async (t) => {
  const { origin } = await start(t, { 'deaf.sh': sh('exec <&-; printf "Content-Type: text/plain\\n\\nok"') });
  const response = await fetch(`${origin}/cgi-bin/deaf.sh`, {
    method: 'POST',
    body: Buffer.alloc(3_000_000),
  });
  assert.equal(await response.text(), 'ok');
});

test('missing is 404, not executable 403, outside and hidden 404, one with an encoded slash 404', async (t) => {
  const { origin, folder, events } = await start(t, { 'ok.sh': ECHO, 'sub/in.sh': ECHO, '.hidden.sh': ECHO });
  writeFileSync(join(folder, 'plain.txt'), 'source');
  chmodSync(join(folder, 'plain.txt'), 0o644);
  symlinkSync('/bin/ls', join(folder, 'out'));
  const statusOf = async (path: string) => (await fetch(`${origin}/cgi-bin/${path}`)).status;
  assert.equal(await statusOf('nothing.sh'), 404);
  assert.equal(await statusOf('plain.txt'), 403);
  assert.match((await events.find('application-log')).text, /plain\.txt is not executable/);
  assert.equal(await statusOf('out'), 404);
  assert.equal(await statusOf('.hidden.sh'), 404);
  assert.equal(await statusOf('sub'), 404);
  assert.equal(await statusOf('sub/in.sh'), 200);
  assert.equal(await statusOf('sub%2fin.sh'), 404);
  assert.equal(await statusOf('ok.sh/%2f..%2f..%2fsub/in.sh'), 404);
  assert.equal(await statusOf('sub/in.sh%2f'), 200);
  assert.equal(await statusOf('%2e%2e%2fcgi/ok.sh'), 404);
});

test('a link that leaves the folder runs nothing and the log says why; followed, it runs under its own name', async (t) => {
  const outside = scripts(t, {
    'tool.sh': sh('printf "Content-Type: text/plain\\n\\n$(basename "$0") $PWD"'),
  });
  const link = (folder: string) => symlinkSync(join(outside, 'tool.sh'), join(folder, 'link.sh'));
  const strict = await start(t, {});
  link(strict.folder);
  assert.equal((await fetch(`${strict.origin}/cgi-bin/link.sh`)).status, 404);
  assert.match(
    (await strict.events.find('application-log')).text,
    /link\.sh is a link that leaves the folder/,
  );
  const lenient = await start(t, {}, { followLinks: true });
  link(lenient.folder);
  assert.equal(await (await fetch(`${lenient.origin}/cgi-bin/link.sh`)).text(), `link.sh ${lenient.folder}`);
});

test('one script answers for everything below its prefix, whatever is called so', async (t) => {
  const folder = scripts(t, { 'app.sh': ECHO });
  const { origin } = await start(t, {}, { scripts: join(folder, 'app.sh'), prefix: '/app' });
  const ask = async (path: string) => (await (await fetch(`${origin}${path}`)).text()).split('\n');
  for (const [path, info] of [
    ['/app', ''],
    ['/app/', '/'],
    ['/app/.a/b%20c/', '/.a/b c/'],
    ['/app/rev/a%2Fb', '/rev/a/b'],
  ] as const) {
    const lines = await ask(path);
    assert.ok(lines.includes('SCRIPT_NAME=/app'), path);
    assert.ok(lines.includes(`PATH_INFO=${info}`), path);
  }
  assert.equal((await fetch(`${origin}/apple`)).status, 404);
});

test('a folder is answered by its index, when it may run; without its slash it is redirected there', async (t) => {
  const { origin } = await start(t, { 'index.cgi': ECHO, 'sub/start.sh': ECHO }, { index: ['start.sh'] });
  const plain = await start(t, { 'index.cgi': ECHO, 'sub/index.cgi': 'text' });
  chmodSync(join(plain.folder, 'sub/index.cgi'), 0o644);
  assert.match(
    await (await fetch(`${plain.origin}/cgi-bin/`)).text(),
    /^SCRIPT_NAME=\/cgi-bin\/index\.cgi$/m,
  );
  assert.equal((await fetch(`${plain.origin}/cgi-bin/sub/`)).status, 404);
  assert.equal((await fetch(`${origin}/cgi-bin/`)).status, 404);
  const posted = await fetch(`${origin}/cgi-bin/sub`, { method: 'POST', body: 'sent' });
  assert.match(await posted.text(), /sent$/);
  const moved = await fetch(`${origin}/cgi-bin/sub?a=b`, { redirect: 'manual' });
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get('location'), '/cgi-bin/sub/?a=b');
  assert.match(
    await (await fetch(`${origin}/cgi-bin/sub/?a=b`)).text(),
    /^REQUEST_URI=\/cgi-bin\/sub\/\?a=b$/m,
  );
});

test('Status sets status and reason, with and without words', async (t) => {
  const { raw } = await start(t, {
    'tea.sh': sh('printf "Status: 418 Short and stout\\nContent-Type: text/plain\\n\\nx"'),
    'bare.sh': sh('printf "Status: 404\\nContent-Type: text/plain\\n\\nx"'),
  });
  assert.match(await raw(get('tea.sh')), /^HTTP\/1.1 418 Short and stout\r\n/);
  assert.match(await raw(get('bare.sh')), /^HTTP\/1.1 404 /);
});

const get = (name: string): string => `GET /cgi-bin/${name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;

test('a lone local Location is answered by that path, one with more is the client to follow', async (t) => {
  const { origin } = await start(t, {
    'local.sh': sh('printf "Location: /cgi-bin/echo.sh?from=local\\n\\n"'),
    'client.sh': sh('printf "Location: http://example.org/\\n\\n"'),
    'both.sh': sh('printf "Status: 303 See Other\\nLocation: /else\\n\\n"'),
    'loop.sh': sh('printf "Location: /cgi-bin/pool.sh\\n\\n"'),
    'pool.sh': sh('printf "Location: /cgi-bin/loop.sh\\n\\n"'),
    'self.sh': sh('printf "Location: /cgi-bin/self.sh\\n\\n"'),
    'echo.sh': ECHO,
  });
  const follow = (name: string, init = {}) =>
    fetch(`${origin}/cgi-bin/${name}`, { redirect: 'manual', ...init });
  const local = await (await follow('local.sh', { method: 'POST', body: 'gone' })).text();
  assert.match(local, /^QUERY_STRING=from=local$/m);
  assert.match(local, /^REQUEST_METHOD=GET$/m);
  assert.doesNotMatch(local, /CONTENT_LENGTH/);
  const client = await follow('client.sh');
  assert.equal(client.status, 302);
  assert.equal(client.headers.get('location'), 'http://example.org/');
  const both = await follow('both.sh');
  assert.equal(both.status, 303);
  assert.equal(both.headers.get('location'), '/else');
  assert.equal((await follow('loop.sh')).status, 502);
  assert.equal((await follow('self.sh')).status, 502);
});

test('output that is no answer is 502, its reason in the log and not on the page', async (t) => {
  const { origin, events } = await start(t, {
    'silent.sh': sh('echo "the reason" >&2; exit 3'),
    'garbage.sh': sh('echo hello world'),
    'nohead.sh': sh('printf "\\nbody"'),
    'status.sh': sh('printf "Status: abc\\nContent-Type: a/b\\n\\n"'),
    'interim.sh': sh('printf "Status: 103\\nContent-Type: a/b\\n\\n"'),
    'inject.sh': sh('printf "Content-Type: a/b\\nX: a\\rSet-Cookie: evil\\n\\n"'),
    'huge.sh': sh('printf "Content-Type: a/b\\n"; yes "X-A: bbbbbbbbbbbbbbbbbbbbbbbb" | head -n 10000'),
    nobang: 'no interpreter line\n',
    'interpreter.sh': '#!/no/such/interpreter\n',
  });
  for (const name of [
    'silent.sh',
    'garbage.sh',
    'nohead.sh',
    'status.sh',
    'interim.sh',
    'inject.sh',
    'huge.sh',
    'nobang',
    'interpreter.sh',
  ]) {
    const response = await fetch(`${origin}/cgi-bin/${name}`);
    assert.equal(response.status, 502, name);
    assert.doesNotMatch(await response.text(), /reason|hello|script/);
    const event = await events.find('application-error', ({ target }) => target?.endsWith(name) === true);
    assert.equal(event.status, 502);
  }
  const log = await events.find('application-log', ({ target }) => target?.endsWith('silent.sh') === true);
  assert.equal(log.text, 'the reason');
  const silent = await events.find(
    'application-error',
    ({ target }) => target?.endsWith('silent.sh') === true,
  );
  assert.match(silent.message, /nothing at all \(exit code 3\)/);
});

test('the log says what about the first line of a script keeps it from running', async (t) => {
  const { origin, events } = await start(t, {
    'crlf.sh': '#!/bin/sh\r\necho\r\n',
    'missing.sh': '#! /no/such/sh -e\n',
  });
  for (const [name, why] of [
    ['crlf.sh', /its lines end with CR LF/],
    ['missing.sh', /is not there: \/no\/such\/sh\)/],
  ] as const) {
    assert.equal((await fetch(`${origin}/cgi-bin/${name}`)).status, 502);
    const told = await events.find('application-error', ({ target }) => target.endsWith(name));
    assert.match(told.message, why);
  }
});

test('an announced length is kept: more is cut, less breaks the answer off', async (t) => {
  const { raw, origin, events } = await start(t, {
    'long.sh': sh('printf "Content-Type: a/b\\nContent-Length: 3\\n\\nabcdef"'),
    'short.sh': sh('printf "Content-Type: a/b\\nContent-Length: 9\\n\\nabc"'),
  });
  const long = await raw(get('long.sh'));
  assert.match(long, /Content-Length: 3\r\n/);
  assert.ok(long.endsWith('\r\n\r\nabc'));
  await assert.rejects(
    fetch(`${origin}/cgi-bin/short.sh`).then((response) => {
      assert.equal(response.status, 500);
      throw new Error('answered in full');
    }),
  );
  const told = await events.find('application-error');
  assert.match(told.message, /announced 9 bytes and sent 3/);
});

test('connection fields of a script stay behind; an nph script may speak a status line', async (t) => {
  const { raw } = await start(t, {
    'hop.sh': sh(
      'printf "Content-Type: a/b\\nTransfer-Encoding: chunked\\nConnection: upgrade\\nX-A: 1\\n\\nbody"',
    ),
    'nph-raw.sh': sh('printf "HTTP/1.1 202 Fine\\r\\nContent-Type: a/b\\r\\n\\r\\nraw"'),
    'raw.sh': sh('printf "HTTP/1.1 202 Fine\\r\\nContent-Type: a/b\\r\\n\\r\\nraw"'),
  });
  const hop = await raw(get('hop.sh'));
  assert.match(hop, /X-A: 1/);
  assert.doesNotMatch(hop, /upgrade/i);
  assert.equal(hop.match(/transfer-encoding/gi)?.length, 1);
  assert.match(await raw(get('nph-raw.sh')), /^HTTP\/1.1 202 Fine/);
  assert.match(await raw(get('raw.sh')), /^HTTP\/1.1 502/);
});

test('HEAD has the head and no body', async (t) => {
  const { origin } = await start(t, {
    'a.sh': sh('printf "Content-Type: a/b\\nContent-Length: 4\\n\\nbody"'),
  });
  const response = await fetch(`${origin}/cgi-bin/a.sh`, { method: 'HEAD' });
  assert.equal(response.headers.get('content-length'), '4');
  assert.equal(await response.text(), '');
});

test('a script whose answer is complete may finish what it does', async (t) => {
  const after = 'sleep 0.2; head -c 300000 /dev/zero; touch "done-$REQUEST_METHOD"';
  const { origin, folder } = await start(t, {
    'length.sh': sh(`echo $$ > pid; printf "Content-Type: a/b\\nContent-Length: 3\\n\\nabc"; ${after}`),
    'moved.sh': sh(`echo $$ > pid; printf "Location: /nowhere\\n\\n"; ${after}`),
    'same.sh': sh(`echo $$ > pid; printf "Status: 304\\n\\n"; ${after}`),
  });
  for (const [name, method] of [
    ['length.sh', 'GET'],
    ['length.sh', 'HEAD'],
    ['same.sh', 'OPTIONS'],
    ['moved.sh', 'PUT'],
  ] as const) {
    const response = await fetch(`${origin}/cgi-bin/${name}`, { method });
    const text = await response.text();
    if (name !== 'moved.sh') assert.equal(text, method === 'GET' ? 'abc' : '');
    await gone(Number(readFileSync(join(folder, 'pid'), 'utf8')));
    assert.ok(existsSync(join(folder, `done-${method}`)), method);
  }
});

test('a script whose answer is complete may still read what it was sent', async (t) => {
  const { origin, folder } = await start(t, {
    'early.sh': sh(
      'echo $$ > pid; printf "Content-Type: a/b\\nContent-Length: 2\\n\\nok"; sleep 0.2; wc -c > size',
    ),
  });
  const body = Buffer.alloc(3_000_000);
  assert.equal(await (await fetch(`${origin}/cgi-bin/early.sh`, { method: 'POST', body })).text(), 'ok');
  await gone(Number(readFileSync(join(folder, 'pid'), 'utf8')));
  assert.equal(readFileSync(join(folder, 'size'), 'utf8').trim(), '3000000');
});

test('an answer without a Content-Type is sent as it is', async (t) => {
  const { origin } = await start(t, { 'a.sh': sh('printf "X-A: b\\n\\nbody"') });
  const response = await fetch(`${origin}/cgi-bin/a.sh`);
  assert.equal(response.headers.get('content-type'), null);
  assert.equal(await response.text(), 'body');
});

test('complaints without a line end do not fill the memory', async (t) => {
  const { origin, events } = await start(t, {
    'long.sh': sh('head -c 300000 /dev/zero | tr "\\0" x >&2; printf "Content-Type: a/b\\n\\nok"'),
  });
  assert.equal(await (await fetch(`${origin}/cgi-bin/long.sh`)).text(), 'ok');
  assert.match((await events.find('application-log')).text, /^x{1,200000}$/);
});

test('the standard streams can be opened by their names', needsPipes, async (t) => {
  const { origin, events } = await start(t, {
    'names.sh': sh('printf "Content-Type: a/b\\n\\n" > /dev/stdout; echo oops > /dev/stderr; cat /dev/stdin'),
  });
  const response = await fetch(`${origin}/cgi-bin/names.sh`, { method: 'POST', body: 'hello' });
  assert.equal(await response.text(), 'hello');
  assert.equal((await events.find('application-log')).text, 'oops');
});

test('a script that hangs is 504 and killed with its children, also when they ignore TERM', async (t) => {
  const { origin, folder } = await start(
    t,
    {
      'hang.sh': sh(
        `trap "" TERM; echo $$ > pid; sh -c 'trap "" TERM; echo $$ > child; sleep 60' & wait; sleep 60`,
      ),
    },
    { timeoutMs: 400, killAfterMs: 100 },
  );
  const response = await fetch(`${origin}/cgi-bin/hang.sh`);
  assert.equal(response.status, 504);
  for (const file of ['pid', 'child']) await gone(Number(readFileSync(join(folder, file), 'utf8')));
});

/** Resolves when a process has ended. */
async function gone(pid: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`process ${pid} is still there`);
}

test('a client that leaves ends the script', async (t) => {
  const { port, folder } = await start(t, {
    'slow.sh': sh('echo $$ > pid; printf "Content-Type: a/b\\n\\n"; while :; do echo line; sleep 0.1; done'),
  });
  const socket = await openSocket(t, port);
  socket.write(get('slow.sh'));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  await gone(Number(readFileSync(join(folder, 'pid'), 'utf8')));
});

test('no more scripts run at a time than may; who waits too long is 503', async (t) => {
  const { origin } = await start(
    t,
    { 'wait.sh': sh('sleep 0.3; printf "Content-Type: a/b\\n\\nok"') },
    { maxScripts: 1, maxWaiting: 1 },
  );
  const ask = async (): Promise<string> => {
    const { status, headers } = await fetch(`${origin}/cgi-bin/wait.sh`);
    return `${status} ${headers.get('retry-after')}`;
  };
  assert.deepEqual((await Promise.all([ask(), ask(), ask()])).sort(), ['200 null', '200 null', '503 1']);
});

test('output is streamed as it comes and no faster than it is read', async (t) => {
  const { port } = await start(t, {
    'flood.sh': sh('printf "Content-Type: a/b\\n\\n"; exec head -c 300000000 /dev/zero'),
  });
  const socket = await openSocket(t, port);
  socket.write(get('flood.sh'));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(process.memoryUsage().rss < 400_000_000);
  socket.destroy();
});
