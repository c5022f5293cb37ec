import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { Handler } from '../../../../src/core/http/handler.js';
import type { HttpResponse, IncomingRequest } from '../../../../src/core/http/messages.js';
import { parseUser, requireUser } from '../../../../src/core/http/wrappers/auth.js';
import { allowOrigins, setFields } from '../../../../src/core/http/wrappers/fields.js';
import { limitRequests } from '../../../../src/core/http/wrappers/rate-limit.js';
import { throttleAnswers } from '../../../../src/core/http/wrappers/throttle.js';
import { openUserFile } from '../../../../src/core/http/wrappers/user-file.js';
import { adorn, guard, wrap } from '../../../../src/core/http/wrappers/wrap.js';
import { ask } from '../../../helpers/raw-http.js';
import { serve } from '../../../helpers/servers.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const hello: Handler = {
  handle: () => ({ status: 200, headers: [['Content-Type', 'text/plain']], body: 'hello' }),
};

function basic(text: string): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

test('wrappers are put around a handler, the first outermost, and leave its other abilities', async () => {
  const order: string[] = [];
  let closed = 0;
  const note = (name: string) =>
    adorn((_request, response) => {
      order.push(name);
      return response;
    });
  const inner: Handler = {
    ...hello,
    close: async () => {
      closed += 1;
    },
    upgrade: async () => {},
  };
  const handler = wrap(
    inner,
    note('outer'),
    note('inner'),
    guard(() => undefined),
  );
  const answer = handler.handle({} as IncomingRequest);
  assert.ok(!(answer instanceof Promise), 'an answer at once stays one');
  assert.deepEqual(order, ['inner', 'outer']);
  await handler.close?.();
  assert.equal(closed, 1);
  assert.ok(handler.upgrade !== undefined);
  assert.ok(
    wrap(
      hello,
      guard(() => undefined),
    ).upgrade === undefined,
  );
});

test('a guard stands before upgrades too', async () => {
  let upgraded = false;
  const inner: Handler = {
    ...hello,
    upgrade: async () => {
      upgraded = true;
    },
  };
  const handler = wrap(inner, requireUser({ users: () => [parseUser('ann:secret')] }));
  const answer = await handler.upgrade?.({ headers: [] } as never, {} as never, Buffer.alloc(0));
  assert.equal((answer as { status: number }).status, 401);
  assert.ok(!upgraded);
});

test('only users with their passwords come in, plain or hashed', async (t) => {
  const sha256 = createHash('sha256').update('pä:ss').digest('hex');
  const sha512 = createHash('sha512').update('word').digest('hex');
  const users = ['ann:secret', `bob:sha256:${sha256}`, `eve:sha512:${sha512}`].map(parseUser);
  const { port } = await serve(t, wrap(hello, requireUser({ users: () => users })));
  const statusOf = async (headers: Record<string, string>): Promise<number> =>
    (await ask(port, '/', { headers })).status;
  for (const good of ['ann:secret', 'bob:pä:ss', 'eve:word'])
    assert.equal(await statusOf(basic(good)), 200, good);
  const bad = [
    'ann:Secret',
    'ann:',
    'ann',
    ':secret',
    'bob:secret',
    'nobody:-',
    '-:-',
    `bob:sha256:${sha256}`,
  ];
  for (const text of bad) assert.equal(await statusOf(basic(text)), 401, text);
  assert.equal(await statusOf({}), 401);
  assert.equal(await statusOf({ Authorization: 'Bearer YW5uOnNlY3JldA==' }), 401);
  assert.equal((await ask(port, '/')).header('www-authenticate'), 'Basic realm="nettool", charset="UTF-8"');
});

test('users may be asked for only where it matters', async (t) => {
  const applies = ({ method }: IncomingRequest): boolean => method !== 'GET';
  const { port } = await serve(
    t,
    wrap(hello, requireUser({ users: () => [parseUser('ann:secret')], applies })),
  );
  assert.equal((await ask(port, '/')).status, 200);
  assert.equal((await ask(port, '/', { method: 'PUT' })).status, 401);
});

test('a user that cannot be is refused', () => {
  for (const text of ['ann', ':x', 'ann:sha256:00', 'ann:sha512:abcd']) {
    assert.throws(() => parseUser(text), { code: 'USAGE' }, text);
  }
});

test('fields replace those of the same name, and frozen lists are changed once', async (t) => {
  const frozen = Object.freeze([
    ['Cache-Control', 'no-cache'],
    ['X-Own', '1'],
  ] as const);
  const handler = wrap(
    { handle: () => ({ status: 200, headers: frozen, body: '' }) },
    setFields([['cache-control', 'max-age=5']]),
  );
  const { port } = await serve(t, handler);
  for (let round = 0; round < 2; round += 1) {
    const { fields } = await ask(port, '/');
    const own = fields.filter(([name]) => /cache|own/i.test(name));
    assert.deepEqual(own, [
      ['X-Own', '1'],
      ['cache-control', 'max-age=5'],
    ]);
  }
});

test('any origin may read, preflights are answered', async (t) => {
  const { port } = await serve(t, wrap(hello, ...allowOrigins([])));
  assert.equal((await ask(port, '/')).header('access-control-allow-origin'), '*');
  const preflight = await ask(port, '/', {
    method: 'OPTIONS',
    headers: {
      Origin: 'http://a',
      'Access-Control-Request-Method': 'PUT',
      'Access-Control-Request-Headers': 'x-a',
    },
  });
  assert.deepEqual([preflight.status, preflight.header('access-control-allow-headers')], [204, 'x-a']);
});

test('only named origins may read, and caches are told apart', async (t) => {
  const { port } = await serve(t, wrap(hello, ...allowOrigins(['http://good'])));
  const good = await ask(port, '/', { headers: { Origin: 'http://good' } });
  assert.deepEqual(
    [good.header('access-control-allow-origin'), good.header('vary')],
    ['http://good', 'Origin'],
  );
  const bad = await ask(port, '/', { headers: { Origin: 'http://bad' } });
  assert.deepEqual([bad.header('access-control-allow-origin'), bad.header('vary')], [undefined, 'Origin']);
});

test('an address that asks too often gets 429 and when to come back, others are not touched', () => {
  let now = 0;
  const handler = wrap(
    hello,
    limitRequests({ requests: 2, perMs: 1000 }, () => now),
  );
  const from = (remoteAddress: string) =>
    handler.handle({ remoteAddress, headers: [] } as unknown as IncomingRequest) as HttpResponse;
  assert.deepEqual([from('10.0.0.1').status, from('10.0.0.1').status], [200, 200]);
  const refused = from('10.0.0.1');
  assert.equal(refused.status, 429);
  assert.ok(refused.headers.some(([name, value]) => name === 'Retry-After' && value === '1'));
  assert.equal(from('10.0.0.2').status, 200);
  now += 500;
  assert.deepEqual([from('10.0.0.1').status, from('10.0.0.1').status], [200, 429]);
});

test('a clock that is set back empties no bucket', (t) => {
  const handler = wrap(hello, limitRequests({ requests: 1, perMs: 1000 }));
  const ask = () =>
    handler.handle({ remoteAddress: '10.0.0.1', headers: [] } as unknown as IncomingRequest) as HttpResponse;
  assert.equal(ask().status, 200);
  const before = Date.now() - 3_600_000;
  t.mock.method(Date, 'now', () => before);
  const { status, headers } = ask();
  assert.equal(status, 429);
  assert.ok(headers.some(([name, value]) => name === 'Retry-After' && value === '1'));
});

test('IPv6 addresses of one /64 count as one', () => {
  const handler = wrap(
    hello,
    limitRequests({ requests: 1, perMs: 1000 }, () => 0),
  );
  const from = (remoteAddress: string) =>
    (handler.handle({ remoteAddress, headers: [] } as unknown as IncomingRequest) as { status: number })
      .status;
  assert.deepEqual([from('fd00::1'), from('fd00:0:0:0:5::9'), from('fd00:0:0:1::1')], [200, 429, 200]);
});

test('answers are sent no faster than allowed, whole, and their descriptors are closed', async (t) => {
  const folder = tempDir(t);
  const bytes = Buffer.alloc(30_000, 'abc');
  writeFileSync(join(folder, 'file'), bytes);
  const bodies = {
    '/text': () => bytes.toString(),
    '/bytes': () => bytes,
    '/stream': () => Readable.from([bytes.subarray(0, 7), bytes.subarray(7)], { objectMode: false }),
    '/file': () => ({ fd: openSync(join(folder, 'file'), 'r'), offset: 0, length: bytes.length }),
  };
  const handler: Handler = {
    handle: ({ path }) => ({ status: 200, headers: [], body: bodies[path as keyof typeof bodies]() }),
  };
  const { port } = await serve(t, wrap(handler, throttleAnswers(100_000)));
  for (const path of Object.keys(bodies)) {
    const startedAt = performance.now();
    const answer = await ask(port, path);
    const tookMs = performance.now() - startedAt;
    assert.deepEqual(answer.body, bytes, path);
    // 30,000 bytes at 100,000 a second; the last piece is not waited for.
    assert.ok(tookMs > 180, `${path} took ${tookMs} ms`);
    assert.equal(answer.header('content-length'), path === '/stream' ? undefined : '30000', path);
  }
});

test('a file of users is read anew when it changes; one that cannot be used leaves those of before', async (t) => {
  const path = join(tempDir(t), 'users');
  const sha = (password: string): string => `{SHA}${createHash('sha1').update(password).digest('base64')}`;
  writeFileSync(path, `# people\n\nann:${sha('one')}\r\nbob:${sha('two')}:a comment\n`);
  const problems: string[] = [];
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const users = openUserFile(path, ({ message }) => problems.push(message));
  const names = (): string[] => {
    now += 1000;
    return users().map(({ name }) => name);
  };
  assert.deepEqual(names(), ['ann', 'bob']);
  assert.equal(users()[0]?.password.matches('one'), true);
  writeFileSync(path, 'eve:plain text\n');
  assert.deepEqual(names(), ['ann', 'bob']);
  assert.match(problems[0] ?? '', /line 1 is no user with a known hash/);
  rmSync(path);
  assert.deepEqual(names(), ['ann', 'bob']);
  writeFileSync(path, '');
  assert.deepEqual(names(), []);
});
