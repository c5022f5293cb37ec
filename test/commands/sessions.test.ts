import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startHttp } from '../helpers/http-server.js';
import { run } from '../helpers/run.js';
import { spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

test('cookies set on the way of a redirect are sent back, also to the same URL', async (t) => {
  const { url, received } = await startHttp(t, (res, { headers }) => {
    if (headers.cookie === undefined) {
      res.writeHead(302, { location: '/', 'set-cookie': ['sid=1; Path=/; HttpOnly', 'x=y; Path=/other'] });
    }
    res.end('in');
  });
  const result = await run(['get', url]);
  assert.deepEqual([result.code, result.stdout], [0, 'in']);
  assert.equal(received[1]?.headers.cookie, 'sid=1');
});

test('cookies of one host are not sent to another, and the newest of a name wins over a given one', async (t) => {
  const other = await startHttp(t, (res) => res.end('other'));
  const { url, received } = await startHttp(t, (res, { target }) => {
    const location = target === '/' ? '/second' : `http://localhost:${other.port}/`;
    res.writeHead(302, { location, 'set-cookie': 'sid=new; Path=/' }).end();
  });
  const result = await run([
    'get',
    url,
    '--cookie',
    'sid=old',
    '--cookie',
    'mine=1',
    '--resolve',
    `localhost:${other.port}:127.0.0.1`,
  ]);
  assert.equal(result.code, 0, result.stderr);
  assert.equal(received[1]?.headers.cookie, 'mine=1; sid=new');
  assert.equal(other.received[0]?.headers.cookie, undefined);
});

test('a cookie that is given wins over one of the session, and joins a Cookie field', async (t) => {
  const session = join(tempDir(t), 's.json');
  const { url, received } = await startHttp(t, (res, { target }) => {
    if (target === '/login') res.setHeader('set-cookie', ['sid=old; Path=/', 'kept=1; Path=/']);
    res.end();
  });
  await run(['get', `${url}/login`, '--session', session]);
  await run(['get', url, '--session', session, '--cookie', 'sid=mine']);
  assert.equal(received[1]?.headers.cookie, 'sid=mine; kept=1');
  await run(['get', url, 'Cookie:a=1', '-H', 'cookie: b=2', '--cookie', 'c=3']);
  assert.deepEqual(received[2]?.headers.cookie?.split('; ').sort(), ['a=1', 'b=2', 'c=3']);
});

test('--session keeps header fields, login and cookies, bound to their host, in a file of its owner', async (t) => {
  const cwd = tempDir(t);
  const { url, received } = await startHttp(t, (res) => res.setHeader('Set-Cookie', 'sid=abc; Path=/').end());
  const other = await startHttp(t, (res) => res.end());
  const env = { XDG_CONFIG_HOME: cwd };
  await run(['get', url, '--session', 'work', 'X-Team:red', 'Accept:text/x', '--auth', 'ada:pass'], { env });
  await run(['get', url, '--session', 'work'], { env });
  await run(['get', url, '--session', 'work', 'X-Team:blue'], { env });
  await run(['get', url, '--session', 'work'], { env });
  await run(['get', other.url, '--session', 'work'], { env });
  assert.deepEqual(
    received.map(({ headers }) => [headers.cookie, headers['x-team'], headers.accept, headers.authorization]),
    [
      [undefined, 'red', 'text/x', 'Basic YWRhOnBhc3M='],
      ['sid=abc', 'red', 'text/x', 'Basic YWRhOnBhc3M='],
      ['sid=abc', 'blue', 'text/x', 'Basic YWRhOnBhc3M='],
      ['sid=abc', 'blue', 'text/x', 'Basic YWRhOnBhc3M='],
    ],
  );
  // Cookies know no ports (RFC 6265, section 8.5); everything else is bound to host and port.
  assert.deepEqual(
    [other.received[0]?.headers['x-team'], other.received[0]?.headers.authorization],
    [undefined, undefined],
  );
  const file = join(cwd, 'nettool/sessions/work.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a session may be a file by its path; one that is none is not touched', async (t) => {
  const cwd = tempDir(t, { 'notes.json': '{"mine":true}' });
  const { url, received } = await startHttp(t, (res) => res.end());
  assert.equal((await run(['get', url, '--session', './s.json', 'X-A:1'], { cwd })).code, 0);
  assert.equal(JSON.parse(readFileSync(join(cwd, 's.json'), 'utf8')).version, 1);
  assert.equal((await run(['get', url, '--session', 'notes.json'], { cwd })).code, 26);
  assert.equal(readFileSync(join(cwd, 'notes.json'), 'utf8'), '{"mine":true}');
  assert.equal(received.length, 1);
});

test('public suffixes set no cookies', async (t) => {
  const cwd = tempDir(t);
  const { url, port } = await startHttp(t, (res) =>
    res.setHeader('Set-Cookie', ['a=1; Domain=co.uk', 'b=2; Domain=other.co.uk', 'c=3']).end(),
  );
  assert.ok(url);
  const argv = [
    'get',
    `http://shop.co.uk:${port}/`,
    '--resolve',
    `shop.co.uk:${port}:127.0.0.1`,
    '--session',
    './s',
  ];
  assert.equal((await run(argv, { cwd })).code, 0);
  const { cookies } = JSON.parse(readFileSync(join(cwd, 's'), 'utf8')).cookies;
  assert.deepEqual(
    cookies.map(({ key }: { key: string }) => key),
    ['c'],
  );
});

test('processes at the same time lose nothing of a session', async (t) => {
  const cwd = tempDir(t);
  const { url } = await startHttp(t, (res, { target }) => {
    const name = (target ?? '').slice(1);
    setTimeout(() => res.setHeader('Set-Cookie', `${name}=1; Path=/`).end(), 50);
  });
  const names = ['a', 'b', 'c', 'd', 'e'];
  const runs = names.map((name) =>
    spawnNettool(t, ['get', `${url}/${name}`, '--session', './s', `X-${name}:1`], { cwd }),
  );
  for (const { done } of runs) {
    const { code, stderr } = await done;
    assert.equal(code, 0, stderr);
  }
  const session = JSON.parse(readFileSync(join(cwd, 's'), 'utf8'));
  const keys = session.cookies.cookies.map(({ key }: { key: string }) => key).sort();
  assert.deepEqual(keys, names);
  const [memory] = Object.values(session.hosts) as Array<{ headers: string[][] }>;
  assert.deepEqual(
    memory?.headers.map(([name]) => name).sort(),
    names.map((name) => `X-${name}`),
  );
});

test('a lock that a dead process left is no lock', async (t) => {
  const cwd = tempDir(t);
  writeFileSync(join(cwd, 's.lock'), '999999999');
  const { url } = await startHttp(t, (res) => res.end());
  assert.equal((await run(['get', url, '--session', './s', 'X-A:1'], { cwd })).code, 0);
});
