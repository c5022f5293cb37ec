import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { testHandlerContract } from '../../../helpers/handler-contract.js';
import {
  APPS,
  type HostedApplication,
  hostPython,
  noSystemPython,
  settled,
} from '../../../helpers/python.js';
import { ask, exchange, open } from '../../../helpers/raw-http.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const skip = noSystemPython;
const traps = (t: TestContext, options = {}): Promise<HostedApplication> =>
  hostPython(t, 'asgi_traps:app', options);

/** What the application has seen, once it fits. */
async function awaitEvents(port: number, fits: RegExp): Promise<string> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const { text } = await ask(port, '/events');
    if (fits.test(text)) return text;
    await delay(50);
  }
  throw new Error(`never ${fits}`);
}

test('the scope holds what ASGI asks for, in its types', { skip }, async (t) => {
  const { port } = await traps(t, { prefix: '/mount' });
  const headers = { 'X-Two': 'a', 'x-two': 'b', Proxy: 'evil', Host: 'example.org' };
  const scope = JSON.parse((await ask(port, '/mount/scope?q=%2F', { headers })).text);
  assert.equal(scope.type, 'http');
  assert.deepEqual(scope.asgi, { version: '3.0', spec_version: '2.5' });
  assert.equal(scope.http_version, '1.1');
  assert.equal(scope.method, 'GET');
  assert.equal(scope.scheme, 'http');
  assert.equal(scope.root_path, '/mount');
  assert.equal(scope.path, '/mount/scope', 'path includes root_path');
  assert.equal(scope.raw_path, '/mount/scope');
  assert.equal(scope.query_string, 'q=%2F');
  assert.deepEqual(scope.server, ['127.0.0.1', port]);
  assert.equal(typeof scope.client[1], 'number');
  assert.deepEqual(
    scope.headers.filter(([name]: [string]) => name === 'x-two'),
    [
      ['x-two', 'a'],
      ['x-two', 'b'],
    ],
  );
  assert.ok(!scope.headers.some(([name]: [string]) => name === 'proxy'));
  assert.ok('http.response.pathsend' in scope.extensions);
  assert.ok(!('http.response.trailers' in scope.extensions), 'announced only to those who ask');
  assert.ok(!('tls' in scope.extensions));
});

test('what a proxy has taken off the path stands before it again', { skip }, async (t) => {
  const { port } = await traps(t, { rootPath: '/fr\u00f6nt/', prefix: '/mount' });
  const scope = JSON.parse((await ask(port, '/mount/scope?q')).text);
  assert.deepEqual(
    [scope.root_path, scope.path, scope.raw_path],
    ['/fr\u00f6nt/mount', '/fr\u00f6nt/mount/scope', '/fr%C3%B6nt/mount/scope'],
  );
});

test('only trusted peers can tell the application who stands before them', { skip }, async (t) => {
  const headers = { 'X-Forwarded-For': '6.6.6.6', 'X-Real-IP': '6.6.6.6', Forwarded: 'for=6.6.6.6' };
  for (const trusts of [false, true]) {
    const { port } = await traps(t, { isTrusted: () => trusts });
    const scope = JSON.parse((await ask(port, '/scope', { headers })).text);
    const seen = scope.headers.filter(([, value]: [string, string]) => value.includes('6.6.6.6'));
    assert.equal(seen.length, trusts ? 3 : 0);
  }
});

test('paths are decoded as UTF-8, and HTTP/1.0 says so', { skip }, async (t) => {
  const { port } = await traps(t);
  assert.equal((await ask(port, '/caf%C3%A9%2F//x')).text, '/café///x');
  assert.equal((await ask(port, '/%FF')).text, '/\ufffd');
  const text = (await exchange(port, 'GET /scope HTTP/1.0\r\n\r\n')).toString();
  assert.match(text, /"http_version": "1.0"/);
});

test('each request has its own copy of the state and its own context', { skip }, async (t) => {
  const { port } = await traps(t);
  for (let round = 0; round < 3; round++) {
    const scope = JSON.parse((await ask(port, '/scope')).text);
    assert.deepEqual(scope.state, { shared: 'from lifespan', mine: 1 });
    assert.equal((await ask(port, '/context')).text, 'fresh');
  }
});

test('requests of one connection share nothing an application could change', { skip }, async (t) => {
  const { port } = await traps(t);
  const request = (version: string, connection: string): string =>
    `GET /spoil HTTP/${version}\r\nHost: test\r\nConnection: ${connection}\r\n\r\n`;
  const requests = [request('1.1', 'keep-alive'), request('1.1', 'keep-alive'), request('1.0', 'keep-alive')];
  const text = (await exchange(port, requests.join('') + request('1.1', 'close'))).toString();
  const seen = text.split('\r\n').filter((line) => line.includes('spec_version'));
  assert.equal(seen.length, 4);
  assert.equal(seen[1], seen[0]);
  assert.match(seen[2] ?? '', /'1\.0'\]/);
  assert.ok(!text.includes('spoilt'));
});

test('an application runs in a task of its own, the same from its first step on', { skip }, async (t) => {
  const { port } = await traps(t);
  assert.equal((await ask(port, '/current-task')).text, '(True, True)');
});

test('bodies come in whole when small and in parts when large', { skip }, async (t) => {
  const { port, get } = await traps(t);
  const small = await ask(port, '/echo', { method: 'POST', body: 'small' });
  assert.equal(small.text, 'small');
  assert.equal(small.header('x-messages'), '1');
  const large = Buffer.alloc(5_000_000, 'z');
  const answer = await get('/echo', { method: 'POST', body: large });
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(large));
  assert.ok(Number(answer.headers.get('x-messages')) > 5);
  const chunked = 'POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
  assert.ok((await exchange(port, `${chunked}3\r\nabc\r\n0\r\n\r\n`)).toString().endsWith('abc'));
});

test('receive() waits after the body, and then goes on telling of the end', { skip }, async (t) => {
  const { port } = await traps(t);
  const { text } = await ask(port, '/receive-twice');
  assert.match(text, /'body': b'', 'more_body': False\}, True/);
  const events = await awaitEvents(port, /disconnect.*disconnect/);
  assert.match(events, /http\.disconnect/);
});

test('a client that leaves is seen by receive(), and send() raises an OSError', { skip }, async (t) => {
  const { port } = await traps(t);
  const socket = await open(port, 'GET /disconnect HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.resetAndDestroy();
  assert.match(await awaitEvents(port, /OSError/), /'http\.disconnect', 'OSError'/);
});

test('a slow client holds back the application, and its leaving ends it', { skip }, async (t) => {
  const app = await traps(t);
  const { port } = app;
  const socket = await open(port, 'GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  const sentBytes = Number(/\d+/.exec(await settled(app, '/events'))?.[0]);
  assert.ok(sentBytes > 0 && sentBytes < 20 * 2 ** 20, 'nothing more is produced');
  socket.destroy();
  await awaitEvents(port, /ended/);
});

test('answers follow ASGI', { skip }, async (t) => {
  const { port } = await traps(t);
  const file = await readFile(join(APPS, 'asgi_traps.py'), 'utf8');
  assert.equal((await ask(port, '/stream')).text, 'first second');
  assert.equal((await ask(port, '/upper')).header('x-upper'), '1');
  assert.equal((await ask(port, '/generator')).header('x-b'), '1');
  assert.equal((await ask(port, '/204')).body.length, 0);
  const ignored = await ask(port, '/te');
  assert.equal(ignored.text, 'ok');
  assert.equal(ignored.header('transfer-encoding'), undefined);
  const sent = await ask(port, '/pathsend');
  assert.equal(sent.text, file);
  assert.equal(sent.header('content-length'), String(Buffer.byteLength(file)));
  assert.equal((await ask(port, '/pathsend?/no/such/file')).status, 500);
  assert.equal((await ask(port, '/zerocopy')).text, `${file.slice(3, 13)}!`);
  assert.equal((await ask(port, '/big?1000000', { method: 'HEAD' })).header('content-length'), '1000000');
  const hints = await exchange(port, 'GET /hints HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(
    hints.toString(),
    /^HTTP\/1\.1 103 [^\r]*\r\nlink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200/i,
  );
});

test('trailers follow the content for those who ask for them', { skip }, async (t) => {
  const { port } = await traps(t);
  assert.equal((await ask(port, '/trailers')).text, 'no trailers here');
  const request = 'GET /trailers HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n';
  assert.match((await exchange(port, request)).toString(), /with trailers\r\n0\r\nx-sum: 42\r\n\r\n$/i);
});

const FAILURES: ReadonlyArray<readonly [path: string, reason: RegExp]> = [
  ['/twice', /sent twice/],
  ['/nothing', /without completing its answer/],
  ['/boom', /ValueError: boom/],
  ['/str-header', /a header name must be bytes/],
  ['/str-value', /must be bytes/],
  ['/str-body', /the body must be bytes/],
  ['/crlf', /control character/],
  ['/too-long', /longer than its Content-Length/],
  ['/too-short', /ends after 3 bytes of its Content-Length 9/],
];

test('an application that breaks the rules gives a clean 500 and the reason in the log', {
  skip,
}, async (t) => {
  const { port, events } = await traps(t);
  for (const [path, reason] of FAILURES) {
    const answer = await ask(port, path);
    assert.equal(answer.status, 500, path);
    assert.equal(answer.header('x-injected'), undefined);
    assert.doesNotMatch(answer.text, /Traceback|asgi_traps/, path);
    assert.match(events.findLast((one) => one.type === 'application-error')?.message ?? '', reason, path);
  }
  for (const path of ['/fail-late', '/unfinished']) {
    const text = (
      await exchange(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`).catch(() =>
        Buffer.from(''),
      )
    ).toString();
    assert.ok(!text.includes('200 OK') || !text.endsWith('0\r\n\r\n'), `${path} must not look complete`);
  }
});

test('routers that do not know root_path yet get the path below it', { skip }, async (t) => {
  const app = `import NAME
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
`;
  for (const [name, version, path] of [
    ['channels', '4.0.0', '/ws'],
    ['channels', '4.1.0', '/pre/ws'],
    ['starlette', '0.26.1', '/ws'],
    ['starlette', '1.0.0rc1', '/pre/ws'],
  ] as const) {
    const cwd = tempDir(t);
    await writeFile(join(cwd, `${name}.py`), `__version__ = "${version}"\n`);
    await writeFile(join(cwd, 'main.py'), app.replace('NAME', name));
    const { port } = await hostPython(t, 'main', { cwd, prefix: '/pre' });
    assert.equal((await ask(port, '/pre/ws')).text, path, `${name} ${version}`);
  }
});

test('a failure after the answer is told with its request, in one line whatever its path', {
  skip,
}, async (t) => {
  const { port, find, events } = await traps(t);
  for (const path of ['/fail-after', '/fail-after%0AGET%20/forged']) {
    const { status, text } = await ask(port, path);
    assert.deepEqual([status, text], [500, 'sorry']);
    const told = `GET ${path}: after its answer was complete the application failed:`;
    await find('application-output', ({ line }) => line === told);
    await find('application-output', ({ line }) => line.startsWith('RuntimeError: failed at its end'));
  }
  assert.ok(
    !events.some((event) => event.type === 'application-output' && event.line.startsWith('GET /forged')),
  );
});

test('debug shows the traceback on the page', { skip }, async (t) => {
  const { port } = await traps(t, { debug: true });
  assert.match((await ask(port, '/boom')).text, /asgi_traps\.py.*ValueError: boom/s);
});

test('lifespan shutdown runs after the last request', { skip }, async (t) => {
  const { handler, find } = await traps(t);
  await handler.close();
  assert.equal((await find('application-output')).line, 'shut down');
});

test('the tls extension is there on an encrypted connection, with the numbers of the registry', {
  skip,
}, async (t) => {
  const { handler } = await traps(t);
  const response = await handler.handle({
    ...{ method: 'GET', target: '/scope', rawPath: '/scope', path: '/scope', query: '', httpVersion: '2' },
    ...{ scheme: 'https', headers: [], hasBody: false, body: Readable.from([]) },
    ...{ remoteAddress: '::1', remotePort: 1, peerAddress: '::1', localAddress: '', localPort: 0 },
    signal: new AbortController().signal,
    tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', serverName: undefined },
  });
  const scope = JSON.parse(String(response.body));
  assert.equal(scope.extensions.tls.tls_version, 0x0304);
  assert.equal(scope.extensions.tls.cipher_suite, 0x1302);
  assert.equal(scope.http_version, '2');
  assert.deepEqual(scope.server, ['localhost', null], 'a Unix socket has no port');
});

if (noSystemPython === false) {
  testHandlerContract('an ASGI application', {
    create: async (t) => (await traps(t)).handler,
    small: { path: '/ok', body: 'ok' },
    large: { path: '/big?20000000', sizeBytes: 20_000_000 },
    missing: '/none',
    echo: '/echo',
    repeated: { path: '/cookies', name: 'set-cookie', values: ['a=1', 'b=2'] },
    failing: '/boom',
  });
}
