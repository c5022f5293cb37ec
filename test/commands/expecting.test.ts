import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { startHttp } from '../helpers/http-server.js';
import { parseLines, run } from '../helpers/run.js';
import { closedPort, startFixedStub, startStub } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

const BODY = '{"status":"ok","n":12345678901234567890,"items":[{"id":7}]}';

test('expectations that hold are exit 0, those that do not 20, and the body is shown all the same', async (t) => {
  const { url } = await startHttp(t, (res) => res.setHeader('Content-Type', 'application/json').end(BODY));
  for (const [code, ...flags] of [
    [0, '--expect', '200'],
    [0, '--expect', '404,2xx'],
    [0, '--expect-header', 'content-type: ^application/json$'],
    [0, '--expect-body', '"status":"ok"'],
    [0, '--expect-json', 'status=ok', '--expect-json', 'items[0].id=7'],
    [0, '--expect-json', 'n=12345678901234567890'],
    [20, '--expect', '201-299'],
    [20, '--expect-header', 'x-none: .'],
    [20, '--expect-header', 'content-type: html'],
    [20, '--expect-body', 'nothing'],
    [20, '--expect-json', 'status=bad'],
    [20, '--expect-json', 'none=1'],
  ] as const) {
    const result = await run(['get', url, ...flags]);
    assert.equal(result.code, code, flags.join(' '));
    assert.equal(result.stdout, BODY);
    if (code === 20) assert.match(result.stderr, /^not as expected: [^\n]+\n$/);
  }
});

test('--expect names good statuses, also above 400; without it the class of the status counts', async (t) => {
  const { url } = await startHttp(t, (res) => res.writeHead(404).end('none'));
  assert.equal((await run(['get', url, '--expect', '404'])).code, 0);
  assert.equal((await run(['get', url, '--expect-body', 'none'])).code, 4);
  const [document] = parseLines((await run(['get', url, '--expect', '200', '--json'])).stdout);
  assert.deepEqual(
    [document.type, document.ok, document.failed],
    ['response', false, ['status 404 is not 200']],
  );
});

test('what is not as expected never becomes the file', async (t) => {
  const cwd = tempDir(t);
  const { url } = await startHttp(t, (res) => res.end('page'));
  assert.equal((await run(['get', url, '-o', 'f', '--expect-body', 'other'], { cwd })).code, 20);
  assert.equal(existsSync(join(cwd, 'f')), false);
});

test('--wait asks until the service is up and as expected', async (t) => {
  const port = await closedPort();
  const timer = setTimeout(() => {
    let count = 0;
    const server = createServer((_req, res) => {
      count += 1;
      res.end(count > 1 ? 'ready' : 'starting');
    });
    server.listen(port, '127.0.0.1');
    t.after(() => server.close());
  }, 500);
  t.after(() => clearTimeout(timer));
  const result = await run([
    'get',
    `:${port}`,
    '--resolve',
    `localhost:${port}:127.0.0.1`,
    '--wait',
    '20s',
    '--expect-body',
    'ready',
  ]);
  assert.deepEqual([result.code, result.stdout], [0, 'ready']);
});

test('--wait ends with the exit code of the last attempt', async (t) => {
  const port = await closedPort();
  const refused = await run(['get', `127.0.0.1:${port}`, '--wait', '1200ms']);
  assert.equal(refused.code, 7);
  const { url } = await startHttp(t, (res) => res.writeHead(503).end('busy'));
  const busy = await run(['get', url, '--wait', '100ms']);
  assert.deepEqual([busy.code, busy.stdout], [5, 'busy']);
  const startedAt = performance.now();
  const { url: mute } = await startStub(t, () => {});
  assert.equal((await run(['get', mute, '--wait', '300ms'])).code, 28);
  assert.ok(performance.now() - startedAt < 1000);
});

test('--retry tries again after statuses and failures that may go away; nothing of them reaches stdout', async (t) => {
  const { url, requests } = await startStub(t, (socket, _request, index) => {
    if (index === 0) socket.destroy();
    else if (index === 1) socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy');
    else if (index === 2) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole');
  });
  const result = await run(['get', url, '--retry', '5', '--retry-delay', '5ms']);
  assert.deepEqual([result.code, result.stdout], [0, 'whole']);
  assert.equal(requests.length, 4);
  assert.match(
    result.stderr,
    /^note: attempt 1: .*\nnote: attempt 2: 503 Busy; .*\nnote: attempt 3: .*cut short/,
  );
});

test('attempts are counted, and the last answer is the answer', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.writeHead(500).end('broken'));
  const result = await run(['get', url, '--retry', '2', '--retry-delay', '1ms', '--json']);
  const [document] = parseLines(result.stdout);
  assert.deepEqual([result.code, document.attempts, document.body, received.length], [5, 3, 'broken', 3]);
});

test('a method that is not idempotent is retried with --retry-all or an Idempotency-Key only', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.writeHead(503).end());
  const count = async (...flags: string[]): Promise<number> => {
    received.length = 0;
    await run(['post', url, 'a=1', '--retry', '1', '--retry-delay', '1ms', ...flags]);
    return received.length;
  };
  assert.equal(await count(), 1);
  assert.equal(await count('--retry-all'), 2);
  assert.equal(await count('Idempotency-Key:x'), 2);
});

test('Retry-After is obeyed, and given up at once when it goes beyond --timeout', async (t) => {
  const times: number[] = [];
  const { url, received } = await startHttp(t, (res, { target }) => {
    times.push(performance.now());
    const wait = target === '/long' ? '3600' : '1';
    if (received.length === 2) res.end('ok');
    else res.writeHead(429, { 'retry-after': wait }).end();
  });
  assert.equal((await run(['get', url, '--retry', '3', '--retry-delay', '1ms'])).code, 0);
  assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 990);
  const startedAt = performance.now();
  const result = await run(['get', `${url}/long`, '--retry', '3', '--timeout', '5s']);
  assert.equal(result.code, 4);
  assert.ok(performance.now() - startedAt < 1000);
});

test('a Retry-After that no timer can hold is no reason to ask again at once', async (t) => {
  const { url, received } = await startHttp(t, (res) =>
    res.writeHead(503, { 'retry-after': '9999999' }).end(),
  );
  assert.equal((await run(['get', url, '--retry', '3'])).code, 5);
  assert.equal(received.length, 1);
});

test('--expect-json of a body that is none says so', async (t) => {
  const { url } = await startHttp(t, (res) => res.end('<html>'));
  const { code, stderr } = await run(['get', url, '--expect-json', 'a=1']);
  assert.deepEqual([code, stderr], [20, 'not as expected: the body is not JSON, expected a to be 1\n']);
});

test('what cannot get better is not tried again', async (t) => {
  const { url, requests } = await startFixedStub(t, 'garbage\r\n\r\n');
  assert.equal((await run(['get', url, '--retry', '3', '--retry-delay', '1ms'])).code, 56);
  assert.equal(requests.length, 1);
});
