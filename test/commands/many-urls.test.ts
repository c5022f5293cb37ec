import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../helpers/certificates.js';
import { startHttp } from '../helpers/http-server.js';
import { parseLines, run } from '../helpers/run.js';
import { closedPort, listen } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

test('several URLs are asked in order, with a line each, and the greatest exit code', async (t) => {
  const { url, received } = await startHttp(t, (res, { target }) => {
    if (target === '/b') res.statusCode = 404;
    res.end(`${target}\n`);
  });
  const port = await closedPort();
  const result = await run([
    'get',
    `${url}/a`,
    '--url',
    `${url}/b`,
    '--url',
    `127.0.0.1:${port}`,
    '--url',
    `${url}/c`,
  ]);
  assert.equal(result.code, 7);
  assert.equal(result.stdout, '/a\n/b\n/c\n');
  assert.deepEqual(
    result.stderr.split('\n').map((line) => line.replace(/ http.*/, '')),
    [
      'ok',
      'failed (4)',
      `nettool get: cannot connect to 127.0.0.1:${port} (connection refused)`,
      'failed (7)',
      'ok',
      '',
    ],
  );
  assert.equal(received.length, 3);
});

test('connections are used again', async (t) => {
  const { createServer } = await import('node:http');
  const { listen } = await import('../helpers/stub-server.js');
  let connections = 0;
  const server = createServer((_req, res) => res.end('x'.repeat(100_000)));
  server.on('connection', () => {
    connections += 1;
  });
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const more = Array.from({ length: 9 }, (_, index) => ['--url', `${url}/${index}`]).flat();
  const result = await run(['get', url, ...more]);
  assert.deepEqual([result.code, result.output.length, connections], [0, 1_000_000, 1]);
});

test('with --json each is a document on a line, failures too', async (t) => {
  const { url } = await startHttp(t, (res) => res.end('x'));
  const port = await closedPort();
  const result = await run(['get', url, '--url', `http://127.0.0.1:${port}/`, '--json']);
  const [first, second] = parseLines(result.stdout);
  assert.deepEqual([first.type, first.body], ['response', 'x']);
  assert.deepEqual(
    [second.type, second.code, second.url],
    ['error', 'CONNECTION_REFUSED', `http://127.0.0.1:${port}/`],
  );
  assert.equal(result.code, 7);
});

test('--parallel runs them at once, and does not tear their output apart', async (t) => {
  let open = 0;
  let most = 0;
  const { url } = await startHttp(t, async (res, { target }) => {
    open += 1;
    most = Math.max(most, open);
    const name = (target ?? '').slice(1);
    res.write(`${name}-`.repeat(1000));
    await new Promise((done) => setTimeout(done, 20));
    open -= 1;
    res.end(`${name}\n`);
  });
  const more = ['b', 'c', 'd', 'e', 'f'].flatMap((name) => ['--url', `${url}/${name}`]);
  const result = await run(['get', `${url}/a`, ...more, '--parallel', '3']);
  assert.equal(result.code, 0);
  assert.equal(most, 3);
  const lines = result.stdout.trim().split('\n').sort();
  assert.deepEqual(
    lines,
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${`${name}-`.repeat(1000)}${name}`),
  );
});

test('--fail-early stops the rest, in parallel too', async (t) => {
  const { url, received } = await startHttp(t, (res, { target }) => {
    if (target === '/bad') res.writeHead(500).end();
    else if (target !== '/slow') res.end('x');
  });
  const more = ['--url', `${url}/a`, '--url', `${url}/b`];
  assert.equal((await run(['get', `${url}/bad`, ...more, '--fail-early'])).code, 5);
  assert.equal(received.length, 1);
  const startedAt = performance.now();
  const result = await run([
    'get',
    `${url}/slow`,
    '--url',
    `${url}/bad`,
    ...more,
    '--parallel',
    '2',
    '--fail-early',
  ]);
  assert.equal(result.code, 5);
  assert.ok(performance.now() - startedAt < 2000);
});

test('-O saves each under its own name', async (t) => {
  const cwd = tempDir(t);
  const { url } = await startHttp(t, (res, { target }) => res.end(target));
  const result = await run(
    ['get', `${url}/x/a`, '--url', `${url}/y/a`, '--url', `${url}/b`, '-O', '--parallel', '3'],
    { cwd },
  );
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(readdirSync(cwd).sort(), ['a', 'a-1', 'b']);
});

test('--timeout ends all of several URLs, and is the exit code', async (t) => {
  const { url } = await startHttp(t, (res, { target }) => {
    if (target === '/quick') res.end('quick');
  });
  for (const parallel of [[], ['--parallel', '2']]) {
    const argv = ['get', `${url}/quick`, '--url', `${url}/mute`, '--url', `${url}/mute`, ...parallel];
    const result = await run([...argv, '--timeout', '300ms']);
    assert.deepEqual([result.code, result.stdout], [28, 'quick']);
    assert.equal(result.stderr.match(/--timeout/g)?.length, 1);
  }
});

/** Nineteen more URLs of an origin. */
function moreOf(url: string): string[] {
  return Array.from({ length: 19 }, (_, index) => ['--url', `${url}/${index}`]).flat();
}

/** An HTTP/2 server that counts its connections. */
async function startHttp2(t: TestContext, answer: (stream: ServerHttp2Stream, path: string) => void) {
  const cwd = tempDir(t);
  const ca = createAuthority(cwd);
  const site = ca.sign('localhost', 'IP:127.0.0.1');
  const server = createSecureServer({ cert: ca.read(site.cert), key: ca.read(site.key) });
  const seen = { connections: 0 };
  server.on('session', () => {
    seen.connections += 1;
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => answer(stream, String(headers[':path'])));
  const url = `https://127.0.0.1:${await listen(t, server as never)}`;
  return { url, seen, trust: ['--cacert', ca.cert] };
}

test('over HTTP/2 the URLs of one origin share a connection, and one given up leaves the others alone', async (t) => {
  const { url, seen, trust } = await startHttp2(t, (stream, path) => {
    stream.respond({ ':status': 200 });
    stream.end('x'.repeat(path === '/3' ? 2_000_000 : 1000));
  });
  const result = await run(['get', url, ...moreOf(url), ...trust, '--parallel', '5', '--max-size', '50k']);
  assert.equal(result.code, 63);
  assert.equal(result.stderr.match(/^ok /gm)?.length, 19);
  assert.equal(seen.connections, 1);
});

test('an HTTP/2 server that ends its connection after some requests gets the others over the next one', async (t) => {
  let answered = 0;
  const { url, seen, trust } = await startHttp2(t, (stream) => {
    answered += 1;
    stream.respond({ ':status': 200 });
    stream.end('ok\n');
    if (answered % 6 === 0) stream.session?.close();
  });
  const result = await run(['get', url, ...moreOf(url), ...trust, '--parallel', '4', '-q']);
  assert.deepEqual([result.code, result.stdout], [0, 'ok\n'.repeat(20)]);
  assert.ok(seen.connections > 1 && seen.connections < 10, `${seen.connections} connections`);
});

test('a server that is not there is told for every URL that waited for the first connection', async () => {
  const url = `https://127.0.0.1:${await closedPort()}`;
  const result = await run(['get', url, ...moreOf(url), '--parallel', '5']);
  assert.equal(result.code, 7);
  assert.equal(result.stderr.match(/^failed \(7\)/gm)?.length, 20);
});
