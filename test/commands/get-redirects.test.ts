import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startHttp } from '../helpers/http-server.js';
import { run } from '../helpers/run.js';
import { listen } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

const certificate = (file: string): string =>
  fileURLToPath(new URL(`../fixtures/certs/${file}`, import.meta.url));

async function startHttps(t: TestContext, location?: string): Promise<string> {
  const options = {
    key: readFileSync(certificate('localhost.key')),
    cert: readFileSync(certificate('localhost.crt')),
  };
  const server = createServer(options, (_req, res) => {
    if (location !== undefined) res.writeHead(302, { Location: location });
    res.end('safe');
  });
  return `https://127.0.0.1:${await listen(t, server)}/`;
}

test('what is secret does not follow to another origin, and one line says so', async (t) => {
  const cwd = tempDir(t);
  writeFileSync(join(cwd, 'fields'), 'X-Custom: from-a-file\n\nX-Other: too\n');
  const other = await startHttp(t, (res) => res.end('there'));
  const first = await startHttp(t, (res) => res.writeHead(302, { Location: other.url }).end());
  const argv = [
    'get',
    first.url,
    'Authorization:Bearer secret-1',
    'X-Api-Key:secret-2',
    'X-Plain:1',
    '-H',
    '@fields',
  ];
  const result = await run(argv, { cwd });
  assert.equal(result.stdout, 'there');
  assert.equal(result.code, 0);
  assert.equal(
    result.stderr,
    `note: redirected to another origin, ${other.url}, without X-Custom, X-Other, Authorization, X-Api-Key\n`,
  );
  const headers = { ...other.received[0]?.headers };
  assert.equal(headers['x-plain'], '1');
  assert.equal(first.received[0]?.headers['x-custom'], 'from-a-file');
  for (const name of ['authorization', 'x-api-key', 'x-custom', 'x-other'])
    assert.equal(headers[name], undefined);
  assert.equal((await run([...argv, '-q'], { cwd })).stderr, '');
  const verbose = await run([...argv, '-v'], { cwd });
  assert.match(verbose.stderr, /X-Custom: \*\*\*/);
  assert.doesNotMatch(verbose.stderr, /from-a-file|secret/);
});

test('--no-follow shows the redirect itself, --max-redirects ends a circle', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.writeHead(302, { Location: '/' }).end('moved'));
  const shown = await run(['get', url, '--no-follow']);
  assert.deepEqual([shown.code, shown.stdout], [3, 'moved']);
  const circle = await run(['get', url, '--max-redirects', '2']);
  assert.equal(circle.code, 47);
  assert.match(circle.stderr, /more than 2 redirects/);
  assert.equal(received.length, 1 + 3);
});

test('a UTF-8 Location is followed', async (t) => {
  const { url, received } = await startHttp(t, (res, { target }) => {
    if (target !== '/') return res.end('ok');
    return res.writeHead(302, { Location: Buffer.from('/é').toString('latin1') }).end();
  });
  assert.equal((await run(['get', url])).stdout, 'ok');
  assert.equal(received[1]?.target, '/%C3%A9');
});

test('a self-signed certificate is exit 60, trusted with --cacert, ignored with -k', async (t) => {
  const url = await startHttps(t);
  const refused = await run(['get', url]);
  assert.equal(refused.code, 60);
  assert.match(refused.stderr, /is not trusted: it is self-signed\nhint: .*--cacert/);
  for (const flags of [['-k'], ['--cacert', certificate('localhost.crt')]]) {
    const result = await run(['get', url, ...flags]);
    assert.deepEqual([result.code, result.stdout], [0, 'safe']);
  }
  assert.equal((await run(['get', url, '--cacert', certificate('other.crt')])).code, 60);
});

test('https does not lead to http unless that is allowed', async (t) => {
  const plain = await startHttp(t, (res) => res.end('plain'));
  const url = await startHttps(t, plain.url);
  const refused = await run(['get', url, '-k']);
  assert.equal(refused.code, 47);
  assert.equal(plain.received.length, 0);
  assert.equal((await run(['get', url, '-k', '--allow-downgrade'])).stdout, 'plain');
});

test('a name that leads to plain http is a failed handshake for https', async (t) => {
  const plain = await startHttp(t, (res) => res.end());
  assert.equal((await run(['get', `https://127.0.0.1:${plain.port}/`])).code, 35);
});
