import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../helpers/certificates.js';
import { needs, startProgram as startDaemon, waitForPort } from '../helpers/programs.js';
import { spawnNettool } from '../helpers/spawn.js';
import { closedPort } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

const CONTENT = randomBytes(5 * 2 ** 20);
const SHA = createHash('sha256').update(CONTENT).digest('hex');

const PYTHON = '/usr/bin/python3';

const hasHttpbin = spawnSync(PYTHON, ['-c', 'import httpbin'], { stdio: 'ignore' }).status === 0;

/** Starts a server and waits until it accepts connections. */
async function startProgram(
  t: TestContext,
  [name = '', ...args]: readonly string[],
  port: number,
): Promise<void> {
  startDaemon(t, name, args);
  await waitForPort(port);
}

/** nginx with a file, HTTP/2, a place for client certificates and one with a rate limit. */
async function startNginx(t: TestContext) {
  const folder = tempDir(t, { 'html/big.bin': CONTENT, 'html/small.txt': 'small\n', 'html/limited/x': 'x' });
  chmodSync(folder, 0o755);
  const ca = createAuthority(folder);
  const site = ca.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
  const [port, tlsPort] = [await closedPort(), await closedPort()];
  for (const name of ['b', 'p', 'f', 'u', 's']) mkdirSync(join(folder, name));
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; worker_processes 1; user root;
events { worker_connections 256; }
http {
  access_log off; sendfile on; root ${folder}/html; default_type application/octet-stream;
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  gzip on; gzip_min_length 1; gzip_types *;
  limit_req_zone $remote_addr zone=one:1m rate=30r/m;
  server { listen 127.0.0.1:${port}; location /limited/ { limit_req zone=one; limit_req_status 429; add_header Retry-After 2 always; } }
  server {
    listen 127.0.0.1:${tlsPort} ssl http2; ssl_certificate ${site.cert}; ssl_certificate_key ${site.key};
    ssl_client_certificate ${ca.cert}; ssl_verify_client optional;
    location / { add_header X-Protocol $server_protocol; }
    location /mine/ { alias ${folder}/html/; if ($ssl_client_verify != SUCCESS) { return 403; } }
  }
}
`,
  );
  await startProgram(
    t,
    ['nginx', '-p', folder, '-c', `${folder}/nginx.conf`, '-e', `${folder}/error.log`],
    port,
  );
  return { folder, ca, url: `http://127.0.0.1:${port}`, tlsUrl: `https://127.0.0.1:${tlsPort}` };
}

test(
  'nginx: downloads, ranges, resuming, gzip, HTTP/2, client certificates, a rate limit',
  needs('nginx'),
  async (t) => {
    const { folder, ca, url, tlsUrl } = await startNginx(t);
    const nettool = (...args: string[]) => spawnNettool(t, args, { cwd: folder }).done;
    const whole = await nettool('get', `${url}/big.bin`, '-O', '--checksum', SHA);
    assert.equal(whole.code, 0, whole.stderr);
    writeFileSync(join(folder, 'part.bin'), CONTENT.subarray(0, 1_234_567));
    const rest = await nettool('get', `${url}/big.bin`, '-o', 'part.bin', '-c', '--checksum', SHA);
    assert.equal(rest.code, 0, rest.stderr);
    assert.equal(
      (await nettool('get', `${url}/big.bin`, '-o', 'part.bin', '-c')).code,
      0,
      'a whole file is whole',
    );
    const ranges = await nettool(
      'get',
      `${url}/big.bin`,
      '-o',
      'ranges.bin',
      '--parallel',
      '4',
      '--checksum',
      SHA,
    );
    assert.equal(ranges.code, 0, ranges.stderr);
    assert.deepEqual(readFileSync(join(folder, 'ranges.bin')), CONTENT);
    assert.equal((await nettool('get', `${url}/small.txt`)).stdout, 'small\n');
    const missing = await nettool('get', `${url}/missing`, '-o', 'missing');
    assert.equal(missing.code, 4);
    assert.match(missing.stderr, /404 Not Found: missing is not written\n<html>/);
    const two = await nettool(
      'get',
      `${tlsUrl}/big.bin`,
      '--cacert',
      ca.cert,
      '-o',
      'h2.bin',
      '--checksum',
      SHA,
      '--json',
    );
    assert.equal(JSON.parse(two.stdout).httpVersion, '2', two.stderr);
    const one = await nettool('get', `${tlsUrl}/small.txt`, '--cacert', ca.cert, '--http1.1', '-i');
    assert.match(one.stdout, /^HTTP\/1\.1 200 OK[\s\S]*X-Protocol: HTTP\/1\.1/);
    assert.equal((await nettool('get', `${tlsUrl}/mine/small.txt`, '--cacert', ca.cert)).code, 4);
    const me = ca.sign('me', 'DNS:me', 'sesame');
    const mine = ['--cacert', ca.cert, '--cert', me.cert, '--key', me.key, '--key-pass', 'sesame'];
    assert.equal((await nettool('get', `${tlsUrl}/mine/small.txt`, ...mine)).stdout, 'small\n');
    assert.equal((await nettool('get', `${url}/limited/x`)).code, 0);
    assert.equal((await nettool('get', `${url}/limited/x`)).code, 4);
    const patient = await nettool('get', `${url}/limited/x`, '--retry', '3');
    assert.equal(patient.code, 0, patient.stderr);
  },
);

test(
  'httpbin: what it echoes is what was meant',
  hasHttpbin ? {} : { skip: 'httpbin is not installed' },
  async (t) => {
    const folder = tempDir(t, { 'f.txt': 'file text' });
    const port = await closedPort();
    await startProgram(
      t,
      [PYTHON, '-c', `from httpbin import app; app.run(port=${port}, threaded=True)`],
      port,
    );
    const url = `http://127.0.0.1:${port}`;
    const nettool = (...args: string[]) => spawnNettool(t, args, { cwd: folder, env: { PASS: 'pass' } }).done;
    const json = async (...args: string[]) => JSON.parse((await nettool(...args)).stdout);
    assert.deepEqual((await json('post', `${url}/post`, 'a=1', 'b:=[2]', 'q==x')).json, { a: '1', b: [2] });
    assert.deepEqual((await json('put', `${url}/put`, '--form', 'a=1 2')).form, { a: '1 2' });
    const upload = await json('post', `${url}/post`, 'a=1', 'f@f.txt');
    assert.deepEqual([upload.form, upload.files], [{ a: '1' }, { f: 'file text' }]);
    assert.equal(
      (await json('patch', `${url}/patch`, '-d', 'raw text', 'Content-Type:text/plain')).data,
      'raw text',
    );
    assert.deepEqual((await json('delete', `${url}/delete`, '-p', 'x=1')).args, { x: '1' });
    assert.equal((await nettool('get', `${url}/basic-auth/ada/pass`, '--auth', 'ada:env:PASS')).code, 0);
    assert.equal((await nettool('get', `${url}/basic-auth/ada/pass`, '--auth', 'ada:no')).code, 4);
    assert.equal((await nettool('get', `${url}/bearer`, '--bearer', 'env:PASS')).code, 0);
    for (const algorithm of ['MD5', 'SHA-256', 'SHA-512']) {
      const { code } = await nettool(
        'get',
        `${url}/digest-auth/auth/ada/pass/${algorithm}`,
        '--auth',
        'ada:pass',
        '--auth-type',
        'digest',
      );
      assert.equal(code, algorithm === 'SHA-512' ? 4 : 0, algorithm);
    }
    for (const coding of ['gzip', 'deflate', 'brotli']) {
      const answer = await nettool('get', `${url}/${coding}`);
      assert.equal(answer.code, 0, `${coding} ${answer.stderr}`);
      JSON.parse(answer.stdout);
    }
    assert.equal((await json('get', `${url}/redirect/5`)).url, `${url}/get`);
    assert.equal((await nettool('get', `${url}/redirect/30`)).code, 47);
    assert.deepEqual((await json('get', `${url}/cookies/set?k=v`)).cookies, { k: 'v' });
    assert.equal((await nettool('get', `${url}/status/418`)).code, 4);
    assert.equal((await nettool('get', `${url}/delay/3`, '--idle-timeout', '300ms')).code, 28);
    assert.equal((await nettool('get', `${url}/stream/3`)).stdout.trim().split('\n').length, 3);
    assert.equal((await nettool('head', url)).stdout.split('\n')[0], 'HTTP/1.1 200 OK');
    assert.match((await nettool('options', `${url}/get`, '--headers')).stdout, /\nAllow: .*GET/);
  },
);

test('tinyproxy takes plain requests and tunnels', needs('tinyproxy'), async (t) => {
  const { ca, url, tlsUrl, folder } = await startNginx(t);
  const port = await closedPort();
  writeFileSync(
    join(folder, 'tiny.conf'),
    `Port ${port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\nBasicAuth ada secret\n`,
  );
  await startProgram(t, ['tinyproxy', '-d', '-c', join(folder, 'tiny.conf')], port);
  const nettool = (...args: string[]) => spawnNettool(t, args).done;
  const proxy = ['--proxy', `http://ada:secret@127.0.0.1:${port}`];
  const plain = await nettool('get', `${url}/small.txt`, ...proxy, '-i');
  assert.match(plain.stdout, /Via: [^\n]*tinyproxy[\s\S]*small\n$/);
  assert.equal(
    (await nettool('get', `${tlsUrl}/small.txt`, ...proxy, '--cacert', ca.cert)).stdout,
    'small\n',
  );
  assert.notEqual((await nettool('get', `${tlsUrl}/small.txt`, '--proxy', `127.0.0.1:${port}`)).code, 0);
});

test('squid takes plain requests and tunnels', needs('squid'), async (t) => {
  const { ca, url, tlsUrl, folder } = await startNginx(t);
  const port = await closedPort();
  const config = join(folder, 'squid.conf');
  writeFileSync(
    config,
    `http_port 127.0.0.1:${port}\nhttp_access allow all\ncache deny all\naccess_log none\ncache_log /dev/null\npid_filename ${folder}/squid.pid\nshutdown_lifetime 0 seconds\ncoredump_dir none\nnetdb_filename none\npinger_enable off\n`,
  );
  await startProgram(t, ['squid', '-N', '-f', config], port);
  const nettool = (...args: string[]) => spawnNettool(t, args).done;
  const proxy = ['--proxy', `127.0.0.1:${port}`];
  const plain = await nettool('get', `${url}/small.txt`, ...proxy, '-i');
  assert.match(plain.stdout, /Via: [^\n]*squid[\s\S]*small\n$/, plain.stderr);
  assert.equal(
    (await nettool('get', `${tlsUrl}/small.txt`, ...proxy, '--cacert', ca.cert)).stdout,
    'small\n',
  );
});

test('dante speaks SOCKS 4 and 5', needs('danted'), async (t) => {
  const { ca, url, tlsUrl, folder } = await startNginx(t);
  const port = await closedPort();
  writeFileSync(
    join(folder, 'danted.conf'),
    `logoutput: ${folder}/danted.log\ninternal: 127.0.0.1 port = ${port}\nexternal: 127.0.0.1\nsocksmethod: none\nclientmethod: none\nuser.privileged: root\nuser.unprivileged: nobody\nclient pass { from: 0/0 to: 0/0 }\nsocks pass { from: 0/0 to: 0/0 }\n`,
  );
  await startProgram(t, ['danted', '-f', join(folder, 'danted.conf'), '-p', `${folder}/danted.pid`], port);
  const nettool = (...args: string[]) => spawnNettool(t, args).done;
  for (const scheme of ['socks4a', 'socks5', 'socks5h']) {
    const proxy = ['--proxy', `${scheme}://127.0.0.1:${port}`];
    const plain = await nettool('get', `${url}/small.txt`, ...proxy);
    assert.equal(plain.stdout, 'small\n', `${scheme} ${plain.stderr}`);
    assert.equal(
      (await nettool('get', `${tlsUrl}/small.txt`, ...proxy, '--cacert', ca.cert)).stdout,
      'small\n',
    );
  }
});
