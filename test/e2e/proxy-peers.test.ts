import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { createAuthority, type TestCertificate } from '../helpers/certificates.js';
import { freePort, needs, startProgram, waitForPort } from '../helpers/programs.js';
import { spawnNettool } from '../helpers/spawn.js';
import { tempDir } from '../helpers/temp-dir.js';

const run = promisify(execFile);
const BIG = randomBytes(3_000_000);

/** A nettool before upstreams, as a process of its own. */
async function serving(t: TestContext, args: readonly string[], cwd: string): Promise<number> {
  const server = spawnNettool(t, ['serve', ...args, '--json'], { cwd, env: { HOME: cwd } });
  const [, port] = await server.find('stdout', /"type":"listening".*"port":(\d+)/);
  return Number(port);
}

/** A real nginx with a page, a large file, compression on the fly and uploads up to 1 KiB. */
async function startNginx(t: TestContext, cwd: string, tls?: TestCertificate): Promise<number> {
  const port = await freePort();
  const site = join(cwd, 'site');
  mkdirSync(site);
  writeFileSync(join(site, 'page.html'), '<p>hello</p>'.repeat(200));
  writeFileSync(join(site, 'big.bin'), BIG);
  const secure = tls === undefined ? '' : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};`;
  const config = join(cwd, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; pid ${cwd}/nginx.pid; error_log stderr; events {}
     http { access_log off; default_type text/html; gzip on; gzip_types text/html; gzip_proxied any;
            client_body_temp_path ${cwd}/body; proxy_temp_path ${cwd}/p; fastcgi_temp_path ${cwd}/f;
            scgi_temp_path ${cwd}/s; uwsgi_temp_path ${cwd}/u;
       server { listen 127.0.0.1:${port}${tls === undefined ? '' : ' ssl'}; ${secure} root ${site};
                client_max_body_size 1k; location /put { return 201 "$http_x_forwarded_for $host"; } } }`,
  );
  startProgram(t, 'nginx', ['-c', config, '-e', 'stderr', '-g', `user ${process.env.USER ?? 'root'};`]);
  await waitForPort(port);
  return port;
}

const curl = async (...args: string[]): Promise<string> => (await run('curl', ['-s', ...args])).stdout;

/** What `curl -w` tells of a transfer whose content is thrown away. */
const facts = (format: string, ...args: string[]): Promise<string> =>
  curl('-o', '/dev/null', '-w', format, ...args);

test('nginx behind: ranges, validators, compression, HEAD, refusals', needs('nginx', 'curl'), async (t) => {
  const cwd = tempDir(t);
  const url = `http://127.0.0.1:${await serving(t, [`http://127.0.0.1:${await startNginx(t, cwd)}`, '0'], cwd)}`;
  const file = join(cwd, 'got');
  await curl('-o', file, `${url}/big.bin`);
  assert.ok(readFileSync(file).equals(BIG));
  assert.equal(await curl('-r', '4-8', `${url}/page.html`), 'ello<');
  const etag = /^etag: (.*)\r$/im.exec(await curl('-I', `${url}/page.html`))?.[1] ?? '';
  const status = '%{http_code} %{size_download}';
  assert.equal(await facts(status, '-H', `If-None-Match: ${etag}`, `${url}/page.html`), '304 0');
  assert.match(
    await curl('-i', '-H', 'Accept-Encoding: gzip', '-o', '-', `${url}/page.html`),
    /Encoding: gzip/,
  );
  assert.equal(await curl('--compressed', `${url}/page.html`), '<p>hello</p>'.repeat(200));
  assert.match(await facts(status, '-T', file, `${url}/put`), /^413/);
  assert.equal(await facts(status, `${url}/missing`), `404 ${(await curl(`${url}/missing`)).length}`);
  const connects = '%{http_code} %{num_connects}\\n';
  assert.equal(
    await facts(connects, `${url}/page.html`, '-o', '/dev/null', `${url}/page.html`),
    '200 1\n200 0\n',
  );
});

test('nginx behind, HTTP/2 before: the same over TLS', needs('nginx', 'curl'), async (t) => {
  const cwd = tempDir(t);
  const port = await serving(t, [`http://127.0.0.1:${await startNginx(t, cwd)}`, '0', '--tls'], cwd);
  const url = `https://127.0.0.1:${port}`;
  const file = join(cwd, 'got');
  assert.equal(await curl('-k', '--http2', '-w', '%{http_version}', '-o', file, `${url}/big.bin`), '2');
  assert.equal(
    createHash('sha1').update(readFileSync(file)).digest('hex'),
    createHash('sha1').update(BIG).digest('hex'),
  );
  assert.equal(await facts('%{http_code}', '-k', '--http2', '-T', file, `${url}/put`), '413');
  assert.equal(await curl('-k', '--http2', '-H', 'Host: a.test', `${url}/put`), '127.0.0.1 a.test');
});

test(
  'an https upstream is checked, unless that is not wanted',
  needs('nginx', 'curl', 'openssl'),
  async (t) => {
    const cwd = tempDir(t);
    const authority = createAuthority(cwd);
    const port = await startNginx(t, cwd, authority.sign('localhost', 'DNS:localhost'));
    const [byName, byAddress] = [`https://localhost:${port}`, `https://127.0.0.1:${port}`];
    const ask = async (...args: string[]): Promise<string> =>
      facts('%{http_code}', `http://127.0.0.1:${await serving(t, [...args, '0'], cwd)}/page.html`);
    assert.equal(await ask(byName), '502');
    assert.equal(await ask(byName, '--upstream-cacert', 'ca.crt'), '200');
    // Not the name the certificate is for.
    assert.equal(await ask(byAddress, '--upstream-cacert', 'ca.crt'), '502');
    assert.equal(await ask(byAddress, '--upstream-insecure'), '200');
  },
);

test('haproxy behind, and one of two upstreams dead', needs('haproxy', 'curl'), async (t) => {
  const cwd = tempDir(t);
  const [port, dead] = [await freePort(), await freePort()];
  const config = join(cwd, 'haproxy.cfg');
  writeFileSync(
    config,
    `defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s
frontend f\n bind 127.0.0.1:${port}\n default_backend none\n acl ok path /ok\n acl hints path /hints
 http-request early-hint Link "</a.css>; rel=preload" if hints
 http-request return status 200 content-type text/plain string "fine" if ok
 http-request return status 200 content-type text/plain string "hinted" if hints
backend none\n`,
  );
  startProgram(t, 'haproxy', ['-db', '-f', config]);
  await waitForPort(port);
  const upstreams = `http://127.0.0.1:${dead},http://127.0.0.1:${port}`;
  const url = `http://127.0.0.1:${await serving(t, [tempDir(t), '0', '--proxy', `/=${upstreams}`], cwd)}`;
  for (let index = 0; index < 4; index += 1) assert.equal(await curl(`${url}/ok`), 'fine');
  assert.match(
    await curl('-i', `${url}/hints`),
    /^HTTP\/1.1 103 Early Hints\r\nlink: <\/a.css>; .*hinted$/is,
  );
  assert.equal(await facts('%{http_code}', `${url}/nothing`), '503');
});
