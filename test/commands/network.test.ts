import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { createAuthority } from '../helpers/certificates.js';
import { startHttp } from '../helpers/http-server.js';
import { parseLines, run } from '../helpers/run.js';
import { spawnNettool } from '../helpers/spawn.js';
import { listen } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

test('--resolve, -4, --interface and --unix-socket choose where the connection goes', async (t) => {
  const cwd = tempDir(t);
  const { port, url } = await startHttp(t, (res, { headers }) => res.end(headers.host));
  const get = (...argv: string[]) => run(['get', ...argv], { cwd });
  assert.equal(
    (await get(`http://Some.Example:${port}/`, '--resolve', `some.example:${port}:127.0.0.1`)).stdout,
    `some.example:${port}`,
  );
  assert.equal((await get(`http://any.example:${port}/`, '--resolve', `*:${port}:127.0.0.1`)).code, 0);
  assert.equal((await get(url, '-4')).code, 0);
  assert.equal((await get(url, '-6')).code, 6);
  const loopback = Object.entries(networkInterfaces()).find(([, list]) =>
    list?.some(({ address }) => address === '127.0.0.1'),
  );
  assert.equal((await get(url, '--interface', loopback?.[0] ?? '')).code, 0);
  assert.equal((await get(url, '--interface', 'none0')).code, 45);
  const seen: Array<string | undefined> = [];
  const { port: second } = await startHttp(t, (res) => res.end());
  const server = createHttpServer((req, res) => {
    seen.push(req.socket.remoteAddress);
    res.end('unix');
  });
  const third = await listen(t, server);
  assert.equal((await get(`http://127.0.0.1:${third}/`, '--interface', '127.0.0.7')).code, 0);
  assert.deepEqual(seen, ['127.0.0.7']);
  assert.ok(second);
  const path = join(cwd, 's.sock');
  const local = createHttpServer((req, res) => res.end(req.headers.host));
  await new Promise<void>((done) => local.listen(path, done));
  t.after(() => local.close());
  assert.equal((await get('http://docker/info', '--unix-socket', 's.sock')).stdout, 'docker');
  assert.equal((await get('http://docker/info', '--unix-socket', 'none.sock')).code, 7);
});

test('a client certificate is shown, its key opened with the passphrase', async (t) => {
  const cwd = tempDir(t);
  const ca = createAuthority(cwd);
  const site = ca.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
  const me = ca.sign('me', 'DNS:me');
  const sealed = ca.sign('sealed', 'DNS:sealed', 'open sesame');
  const options = {
    cert: ca.read(site.cert),
    key: ca.read(site.key),
    ca: ca.read(ca.cert),
    requestCert: true,
  };
  const server = createHttpsServer(options, (req, res) => {
    res.end((req.socket as TLSSocket).getPeerCertificate().subject?.CN);
  });
  const url = `https://127.0.0.1:${await listen(t, server)}`;
  const get = (...argv: string[]) =>
    run(['get', url, '--cacert', ca.cert, ...argv], { env: { PASS: 'open sesame' } });
  assert.equal((await get('--cert', me.cert, '--key', me.key)).stdout, 'me');
  assert.equal(
    (await get('--cert', sealed.cert, '--key', sealed.key, '--key-pass', 'env:PASS')).stdout,
    'sealed',
  );
  const wrong = await get('--cert', sealed.cert, '--key', sealed.key, '--key-pass', 'nonsense');
  assert.equal(wrong.code, 26);
  assert.doesNotMatch(wrong.stderr, /nonsense/);
  assert.equal((await get('--cert', sealed.cert, '--key', sealed.key)).code, 26);
  assert.equal((await get('--cert', me.cert, '--key', site.key)).code, 26);
});

test('--pin takes the key it names and no other, --tls-min and --ciphers are held', async (t) => {
  const cwd = tempDir(t);
  const ca = createAuthority(cwd);
  const site = ca.sign('localhost', 'IP:127.0.0.1');
  const server = createHttpsServer(
    { cert: ca.read(site.cert), key: ca.read(site.key), maxVersion: 'TLSv1.2' },
    (req, res) => {
      res.end((req.socket as TLSSocket).getCipher().name);
    },
  );
  const url = `https://127.0.0.1:${await listen(t, server)}`;
  const get = (...argv: string[]) => run(['get', url, '--cacert', ca.cert, ...argv]);
  const spki = new X509Certificate(ca.read(site.cert)).publicKey.export({ type: 'spki', format: 'der' });
  const pin = `sha256//${createHash('sha256').update(spki).digest('base64')}`;
  assert.equal((await get('--pin', pin)).code, 0);
  const other = await get('--pin', `sha256//${'A'.repeat(43)}=`);
  assert.equal(other.code, 60);
  assert.ok(other.stderr.includes(`hint: it is ${pin}`));
  assert.equal((await get('--tls-min', '1.3')).code, 35);
  assert.equal(
    (await get('--tls-min', '1.2', '--ciphers', 'ECDHE-ECDSA-AES256-GCM-SHA384')).stdout,
    'ECDHE-ECDSA-AES256-GCM-SHA384',
  );
  assert.equal((await get('--ciphers', 'NONSENSE')).code, 35);
});

test('the authorities of the system and NODE_EXTRA_CA_CERTS are trusted', async (t) => {
  const cwd = tempDir(t);
  const ca = createAuthority(cwd);
  const site = ca.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
  const server = createHttpsServer({ cert: ca.read(site.cert), key: ca.read(site.key) }, (_req, res) =>
    res.end('trusted'),
  );
  const url = `https://127.0.0.1:${await listen(t, server)}`;
  for (const name of ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) {
    const { code, stdout, stderr } = await spawnNettool(t, ['get', url], { env: { [name]: ca.cert } }).done;
    assert.deepEqual([code, stdout], [0, 'trusted'], `${name} ${stderr}`);
  }
  assert.equal((await spawnNettool(t, ['get', url]).done).code, 60);
});

test('HTTP/2 by ALPN, with prior knowledge, and not at all', async (t) => {
  const cwd = tempDir(t);
  const ca = createAuthority(cwd);
  const site = ca.sign('localhost', 'IP:127.0.0.1');
  const server = createSecureServer(
    { cert: ca.read(site.cert), key: ca.read(site.key), allowHTTP1: true },
    (req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        res.setHeader(
          'x-sent',
          `${req.method} ${req.url} ${req.headers['x-a']} ${Buffer.concat(chunks).length}`,
        );
        res.end(`over ${req.httpVersion}`);
      });
    },
  );
  const url = `https://127.0.0.1:${await listen(t, server as never)}`;
  const trust = ['--cacert', ca.cert];
  const [document] = parseLines(
    (await run(['post', `${url}/p?q`, 'X-A:b', 'k=v', ...trust, '--json'])).stdout,
  );
  assert.deepEqual(
    [document.httpVersion, document.body, document.headers['x-sent']],
    ['2', 'over 2.0', 'POST /p?q b 9'],
  );
  assert.equal((await run(['get', url, ...trust, '--http1.1'])).stdout, 'over 1.1');
  assert.equal((await run(['get', url, ...trust, '--http2'])).stdout, 'over 2.0');
  const big = 'x'.repeat(3 * 2 ** 20);
  const upload = await run(['put', url, '-d', '@-', ...trust, '-i'], { stdin: big });
  assert.match(upload.stdout, /x-sent: PUT \/ undefined 3145728/);
  const clear = createHttp2Server((req, res) => res.end(`clear ${req.headers[':authority']}`));
  const port = await listen(t, clear as never);
  assert.equal((await run(['get', `http://127.0.0.1:${port}`, '--http2'])).stdout, `clear 127.0.0.1:${port}`);
  const { url: plain } = await startHttp(t, (res) => res.end());
  assert.equal((await run(['get', plain, '--http2', '--idle-timeout', '2'])).code, 56);
});

test('HTTP/2: what breaks is told as over HTTP/1.1', async (t) => {
  const cwd = tempDir(t);
  const ca = createAuthority(cwd);
  const site = ca.sign('localhost', 'IP:127.0.0.1');
  const server = createSecureServer({ cert: ca.read(site.cert), key: ca.read(site.key) });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    const path = headers[':path'];
    if (path === '/mute') return;
    if (path === '/reset') return stream.close(2);
    if (path === '/gone') return stream.session?.destroy();
    if (path === '/gzip') {
      stream.respond({ ':status': 200, 'content-encoding': 'gzip' });
      return void stream.end(gzipSync('x'.repeat(10_000)).subarray(0, 20));
    }
    stream.respond({ ':status': path === '/missing' ? 404 : 200, 'content-length': '1000' });
    if (path === '/short') stream.end('abc');
    else if (path === '/cut') stream.write('abc', () => setTimeout(() => stream.close(2), 20));
    else if (path === '/stall') stream.write('abc');
    else stream.end('x'.repeat(1000));
  });
  const url = `https://127.0.0.1:${await listen(t, server as never)}`;
  for (const [path, code] of [
    ['/', 0],
    ['/missing', 4],
    ['/short', [18, 56]],
    ['/cut', [18, 56]],
    ['/gzip', 18],
    ['/reset', 56],
    ['/gone', [52, 56]],
    ['/mute', 28],
    ['/stall', 28],
  ] as const) {
    const result = await run(['get', `${url}${path}`, '--cacert', ca.cert, '--idle-timeout', '300ms']);
    assert.ok(([code].flat() as number[]).includes(result.code), `${path}: ${result.code} ${result.stderr}`);
    assert.doesNotMatch(result.stderr, /\n\s+at |undici/);
  }
});

test('the idle clock ends when it says, also after an upload', async (t) => {
  // Later than the clock, whatever else the machine does: both are timers of this process.
  const { url } = await startHttp(t, (res) => void setTimeout(() => res.end('too late'), 480));
  for (const argv of [
    ['get', url],
    ['post', url, 'a=1'],
  ]) {
    const startedAt = performance.now();
    assert.equal((await run([...argv, '--idle-timeout', '400ms'])).code, 28);
    assert.ok(performance.now() - startedAt > 395);
  }
});

test('--redirect-trust takes secrets along to a host', async (t) => {
  const other = await startHttp(t, (res) => res.end());
  const { url } = await startHttp(t, (res) => res.writeHead(302, { location: other.url }).end());
  await run(['get', url, '--bearer', 'abcdef', '--redirect-trust', '127.0.0.1']);
  await run(['get', url, '--bearer', 'abcdef', '--redirect-trust', `127.0.0.1:${other.port}`]);
  await run(['get', url, '--bearer', 'abcdef', '--redirect-trust', 'example.org']);
  assert.deepEqual(
    other.received.map(({ headers }) => headers.authorization),
    ['Bearer abcdef', 'Bearer abcdef', undefined],
  );
});

test('an address with a zone is reached by it, and a zone that does not exist is told at once', async (t) => {
  const [zone, found] =
    Object.entries(networkInterfaces()).flatMap(([name, list = []]) =>
      list.filter(({ scopeid }) => (scopeid ?? 0) > 0).map(({ address }) => [name, address] as const),
    )[0] ?? [];
  if (found === undefined) return t.skip('no link-local address here');
  const server = createHttpServer((_req, res) => res.end('linked'));
  server.listen(0, `${found}%${zone}`);
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  assert.equal((await run(['get', `http://[${found}%25${zone}]:${port}/`])).stdout, 'linked');
  assert.equal((await run(['get', `[${found}%nowhere]:${port}`])).code, 45);
});
