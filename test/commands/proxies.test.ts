import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../helpers/certificates.js';
import { startHttp } from '../helpers/http-server.js';
import { run } from '../helpers/run.js';
import { closedPort, listen } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

interface Asked {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** An HTTP proxy that sends every request and every tunnel to one port of this machine. */
async function startProxy(t: TestContext, port: number, tls?: { key: Buffer; cert: Buffer }) {
  const asked: Asked[] = [];
  const server = tls === undefined ? createServer() : createHttpsServer(tls);
  server.on('request', (req, res) => {
    asked.push({ method: req.method, target: req.url, headers: req.headers });
    res.end('by proxy');
  });
  server.on('connect', (req, socket: Socket, head: Buffer) => {
    asked.push({ method: req.method, target: req.url, headers: req.headers });
    socket.on('error', () => {});
    if (req.headers['proxy-authorization'] === undefined && asked[0]?.target?.startsWith('auth')) {
      socket.end('HTTP/1.1 407 Login\r\n\r\n');
      return;
    }
    const target = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      target.write(head);
    });
    target.on('error', () => socket.destroy());
    target.on('data', (chunk) => socket.write(chunk));
    target.on('end', () => socket.end());
    socket.on('data', (chunk) => target.write(chunk));
    socket.on('close', () => target.destroy());
  });
  return { port: await listen(t, server), asked };
}

test('plain http goes to the proxy with the whole URL, and its login stays with it', async (t) => {
  const proxy = await startProxy(t, 0);
  const result = await run([
    'get',
    'http://nowhere.example/a?b',
    '--proxy',
    `http://ada:p%40ss@127.0.0.1:${proxy.port}`,
    '-v',
  ]);
  assert.deepEqual([result.code, result.stdout], [0, 'by proxy']);
  assert.equal(proxy.asked[0]?.target, 'http://nowhere.example/a?b');
  assert.equal(
    proxy.asked[0]?.headers['proxy-authorization'],
    `Basic ${Buffer.from('ada:p@ss').toString('base64')}`,
  );
  assert.doesNotMatch(result.stderr, /p@ss|p%40ss|YWRh/);
});

test('https goes through a tunnel, and the proxy sees none of it', async (t) => {
  const cwd = tempDir(t);
  const ca = createAuthority(cwd);
  const { cert, key } = ca.sign('site.example', 'DNS:site.example');
  const seen: IncomingHttpHeaders[] = [];
  const server = createHttpsServer({ cert: ca.read(cert), key: ca.read(key) }, (req, res) => {
    seen.push(req.headers);
    res.end('secret');
  });
  const proxy = await startProxy(t, await listen(t, server));
  const url = `http://u:pass@127.0.0.1:${proxy.port}`;
  const result = await run(['get', 'https://site.example/x', '--cacert', ca.cert, '--proxy', url, 'X-A:1']);
  assert.deepEqual([result.code, result.stdout], [0, 'secret']);
  assert.deepEqual([proxy.asked[0]?.method, proxy.asked[0]?.target], ['CONNECT', 'site.example:443']);
  assert.equal(proxy.asked[0]?.headers['x-a'], undefined);
  assert.equal(seen[0]?.['proxy-authorization'], undefined);
  assert.equal(seen[0]?.['x-a'], '1');
});

test('a proxy may itself be spoken to in TLS', async (t) => {
  const cwd = tempDir(t);
  const ca = createAuthority(cwd);
  const pair = ca.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
  const proxy = await startProxy(t, 0, { cert: ca.read(pair.cert), key: ca.read(pair.key) });
  const result = await run([
    'get',
    'http://nowhere.example/',
    '--cacert',
    ca.cert,
    '--proxy',
    `https://127.0.0.1:${proxy.port}`,
  ]);
  assert.deepEqual([result.code, result.stdout], [0, 'by proxy']);
});

test('a refused login or a proxy that is not there says so', async (t) => {
  const proxy = await startProxy(t, 0);
  const refused = await run(['get', 'https://auth.example/', '--proxy', `127.0.0.1:${proxy.port}`]);
  assert.equal(refused.code, 77);
  assert.match(
    refused.stderr,
    /the proxy 127\.0\.0\.1:\d+ gives no connection to auth\.example:443 \(407 Login\)\nhint: /,
  );
  const closed = `127.0.0.1:${await closedPort()}`;
  const gone = await run(['get', 'http://x.example/', '--proxy', closed]);
  assert.equal(gone.code, 7);
  assert.match(
    gone.stderr,
    new RegExp(`cannot connect to x\\.example:80 through the proxy ${closed} \\(connection refused\\)`),
  );
});

test('the environment chooses for every hop of a redirect', async (t) => {
  const direct = await startHttp(t, (res) => res.end('direct'));
  const proxyAsked: string[] = [];
  const server = createServer((req, res) => {
    proxyAsked.push(req.url ?? '');
    res.writeHead(302, { location: `http://direct.example:${direct.port}/` }).end();
  });
  const port = await listen(t, server);
  const env = { http_proxy: `http://127.0.0.1:${port}`, no_proxy: 'direct.example' };
  const result = await run(
    ['get', 'http://far.example/', '--resolve', `direct.example:${direct.port}:127.0.0.1`],
    { env },
  );
  assert.deepEqual([result.code, result.stdout], [0, 'direct']);
  assert.deepEqual(proxyAsked, ['http://far.example/']);
  const { url } = direct;
  assert.equal(
    (await run(['get', url], { env })).stdout,
    'direct',
    'loopback is never reached through a proxy',
  );
  assert.equal(
    (
      await run(
        [
          'get',
          'http://far.example',
          '--proxy',
          '',
          '--resolve',
          `far.example:80:127.0.0.1`,
          '--connect-timeout',
          '1',
        ],
        { env },
      )
    ).code,
    7,
  );
});

/** A SOCKS server of both versions, which sends everything to one port and tells what it was asked. */
async function startSocks(t: TestContext, port: number, login?: string) {
  const asked: string[] = [];
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    let state: 'hello' | 'auth' | 'request' | 'open' = 'hello';
    let target: Socket | undefined;
    const open = (reply: Buffer): void => {
      state = 'open';
      target = connect(port, '127.0.0.1', () => socket.write(reply));
      target.on('data', (chunk) => socket.write(chunk));
      target.on('end', () => socket.end());
    };
    socket.on('data', (data: Buffer) => {
      if (state === 'open') return void target?.write(data);
      if (state === 'hello' && data[0] === 4) {
        const end = data.indexOf(0, 8);
        const isName = data[4] === 0 && data[5] === 0;
        const host = isName ? data.subarray(end + 1, -1).toString() : [...data.subarray(4, 8)].join('.');
        asked.push(`4 ${host}:${data.readUInt16BE(2)} ${data.subarray(8, end)}`);
        return open(Buffer.from([0, 90, 0, 0, 0, 0, 0, 0]));
      }
      if (state === 'hello') {
        state = login === undefined ? 'request' : 'auth';
        return void socket.write(Buffer.from([5, login === undefined ? 0 : 2]));
      }
      if (state === 'auth') {
        const length = data[1] ?? 0;
        const given = `${data.subarray(2, 2 + length)}:${data.subarray(3 + length)}`;
        state = 'request';
        return void socket.write(Buffer.from([1, given === login ? 0 : 1]));
      }
      const isName = data[3] === 3;
      const host = isName
        ? data.subarray(5, 5 + (data[4] ?? 0)).toString()
        : [...data.subarray(4, 8)].join('.');
      asked.push(`5 ${host}:${data.readUInt16BE(data.length - 2)}`);
      open(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    });
  });
  return { port: await listen(t, server), asked };
}

test('SOCKS 4a and 5h leave names to the proxy, 4 and 5 look them up here; 5 logs in', async (t) => {
  const { port } = await startHttp(t, (res, { headers }) => res.end(headers.host));
  const url = `http://site.example:${port}/`;
  const resolve = ['--resolve', `site.example:${port}:127.0.0.9`];
  const socks = await startSocks(t, port);
  for (const scheme of ['socks4', 'socks4a', 'socks5', 'socks5h']) {
    const result = await run(['get', url, ...resolve, '--proxy', `${scheme}://127.0.0.1:${socks.port}`]);
    assert.deepEqual([result.code, result.stdout], [0, `site.example:${port}`], result.stderr);
  }
  assert.deepEqual(socks.asked, [
    `4 127.0.0.9:${port} `,
    `4 site.example:${port} `,
    `5 127.0.0.9:${port}`,
    `5 site.example:${port}`,
  ]);
  const locked = await startSocks(t, port, 'ada:s3');
  assert.equal((await run(['get', url, '--proxy', `socks5h://ada:s3@127.0.0.1:${locked.port}`])).code, 0);
  const wrong = await run(['get', url, '--proxy', `socks5h://ada:no@127.0.0.1:${locked.port}`]);
  assert.equal(wrong.code, 77, wrong.stderr);
});

test('a proxy that is mute or talks nonsense does not hang us', async (t) => {
  const mute = await listen(
    t,
    createTcpServer(() => {}),
  );
  const startedAt = performance.now();
  for (const scheme of ['http', 'socks4a', 'socks5h']) {
    const result = await run([
      'get',
      'https://x.example/',
      '--proxy',
      `${scheme}://127.0.0.1:${mute}`,
      '--connect-timeout',
      '200ms',
    ]);
    assert.equal(result.code, 28, `${scheme} ${result.stderr}`);
  }
  assert.ok(performance.now() - startedAt < 2000);
  const babble = await listen(
    t,
    createTcpServer((socket) => void socket.on('error', () => {}).end('garbage garbage garbage\r\n\r\n')),
  );
  for (const scheme of ['http', 'socks4a', 'socks5h']) {
    const result = await run(['get', 'https://x.example/', '--proxy', `${scheme}://127.0.0.1:${babble}`]);
    assert.equal(result.code, 56, `${scheme} ${result.stderr}`);
  }
});
