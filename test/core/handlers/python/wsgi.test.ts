import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { testHandlerContract } from '../../../helpers/handler-contract.js';
import { APPS, type HostedApplication, hostPython, noSystemPython } from '../../../helpers/python.js';
import { ask, exchange, open } from '../../../helpers/raw-http.js';

const skip = noSystemPython;
const traps = (t: TestContext, options = {}): Promise<HostedApplication> =>
  hostPython(t, 'wsgi_traps:application', options);

test('the environ holds what PEP 3333 asks for, in its types', { skip }, async (t) => {
  const { port } = await traps(t, { prefix: '/mount/' });
  const answer = await ask(port, '/mount/environ?q=%2F+x', {
    method: 'POST',
    body: 'abc',
    headers: {
      Host: 'example.org:99',
      'Content-Type': 'text/x',
      'X-Twice': 'a',
      'x-twice': 'b',
      Cookie: 'a=1',
      cookie: 'b=2',
      'X-Empty': '',
      Authorization: 'Basic eDp5',
    },
  });
  const { values, types } = JSON.parse(answer.text);
  const expected = {
    REQUEST_METHOD: 'POST',
    SCRIPT_NAME: '/mount',
    PATH_INFO: '/environ',
    QUERY_STRING: 'q=%2F+x',
    REQUEST_URI: '/mount/environ?q=%2F+x',
    RAW_URI: '/mount/environ?q=%2F+x',
    SERVER_NAME: '127.0.0.1',
    SERVER_PORT: String(port),
    SERVER_PROTOCOL: 'HTTP/1.1',
    REMOTE_ADDR: '127.0.0.1',
    CONTENT_TYPE: 'text/x',
    CONTENT_LENGTH: '3',
    HTTP_HOST: 'example.org:99',
    HTTP_X_TWICE: 'a, b',
    HTTP_COOKIE: 'a=1; b=2',
    HTTP_X_EMPTY: '',
    HTTP_AUTHORIZATION: 'Basic eDp5',
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': 'http',
    'wsgi.multithread': false,
    'wsgi.multiprocess': false,
    'wsgi.run_once': false,
    'wsgi.input_terminated': true,
  };
  for (const [key, value] of Object.entries(expected)) assert.deepEqual(values[key], value, key);
  for (const key of Object.keys(values).filter((name) => !name.startsWith('wsgi.'))) {
    assert.equal(types[key], 'str', key);
  }
  for (const key of ['HTTP_CONTENT_TYPE', 'HTTP_CONTENT_LENGTH', 'HTTP_CONNECTION'])
    assert.ok(!(key in values), key);
});

test('only trusted peers can tell the application who stands before them', { skip }, async (t) => {
  const headers = { 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Host': 'evil.test', Forwarded: 'for=6.6.6.6' };
  for (const trusts of [false, true]) {
    const { port } = await traps(t, { isTrusted: () => trusts });
    const { values } = JSON.parse((await ask(port, '/environ', { headers })).text);
    const seen = ['HTTP_X_FORWARDED_FOR', 'HTTP_X_FORWARDED_HOST', 'HTTP_FORWARDED'].filter(
      (key) => key in values,
    );
    assert.equal(seen.length, trusts ? 3 : 0);
  }
});

test('what a proxy has taken off the path stands in SCRIPT_NAME, before the mount', { skip }, async (t) => {
  for (const [prefix, path, script] of [
    ['/mount', '/mount/environ', '/front/mount'],
    ['', '/environ', '/front'],
  ]) {
    const { port } = await traps(t, { rootPath: '/front', prefix });
    const { values } = JSON.parse((await ask(port, path ?? '')).text);
    assert.deepEqual([values.SCRIPT_NAME, values.PATH_INFO, values.REQUEST_URI], [script, '/environ', path]);
  }
});

test('header names that could pose as others never reach the environ', { skip }, async (t) => {
  const { port } = await traps(t);
  const headers = {
    Proxy: 'http://evil',
    X_Forwarded_For: 'spoofed',
    SCRIPT_NAME: '/spoofed',
    TE: 'trailers',
  };
  const { values } = JSON.parse((await ask(port, '/environ', { headers })).text);
  assert.equal(values.SCRIPT_NAME, '');
  for (const key of ['HTTP_PROXY', 'HTTP_X_FORWARDED_FOR', 'HTTP_SCRIPT_NAME', 'HTTP_TE', 'CONTENT_LENGTH']) {
    assert.ok(!(key in values), key);
  }
});

test('paths reach the application as they were sent, decoded to bytes as latin-1', { skip }, async (t) => {
  const { port } = await traps(t, { prefix: '/m' });
  const cases: ReadonlyArray<readonly [target: string, path: string]> = [
    ['/m/caf%C3%A9', '/café'],
    ['/m/a%2Fb', '/a/b'],
    ['/m/a+b;c=d', '/a+b;c=d'],
    ['/m//x//', '//x//'],
    ['/m/%25', '/%'],
    ['/m/%FF', '\xff'],
    ['/m', ''],
  ];
  for (const [target, path] of cases) {
    const answer = await ask(port, target);
    assert.equal(
      answer.body.toString(target.includes('FF') ? 'latin1' : 'utf8'),
      target.includes('FF') ? `/${path}` : path,
    );
  }
});

test('an absolute target gives its path and its host', { skip }, async (t) => {
  const { port } = await traps(t);
  const answer = await ask(port, 'http://other.example/environ?x=1', { headers: { Host: 'other.example' } });
  const { values } = JSON.parse(answer.text);
  assert.equal(values.PATH_INFO, '/environ');
  assert.equal(values.HTTP_HOST, 'other.example');
});

test('wsgi.input reads like a file, from plain, chunked and large bodies', { skip }, async (t) => {
  const { port, get } = await traps(t);
  const body = 'abcdef\nghij\nkl\nmn\nrest of it';
  const expected = "[b'', b'abc', b'def\\n', b'gh', [b'ij\\n'], b'kl\\n', b'mn\\nrest of it', b'', b'']";
  assert.equal((await ask(port, '/reads', { method: 'POST', body })).text, expected);
  const chunks = 'POST /reads HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
  const split = `${chunks}7\r\nabcdef\n\r\n15\r\nghij\nkl\nmn\nrest of it\r\n0\r\n\r\n`;
  assert.ok((await exchange(port, split)).toString().endsWith(expected));
  const large = Buffer.alloc(3_000_001, 'z');
  const answer = await get('/echo', { method: 'POST', body: large });
  assert.equal(answer.headers.get('x-length'), '3000001');
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(large));
});

test('a chunked body has its length in the environ and no trace of its coding', { skip }, async (t) => {
  const { port } = await traps(t);
  const head = 'POST /environ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
  const text = (await exchange(port, `${head}5\r\nhello\r\n0\r\n\r\n`)).toString();
  const { values } = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
  assert.equal(values.CONTENT_LENGTH, '5');
  assert.ok(!('HTTP_TRANSFER_ENCODING' in values));
});

/** Paths of wsgi_traps.py and what has to come of them: status, body, and a header. */
const ANSWERS: ReadonlyArray<readonly [path: string, status: number, body: string, ...headers: string[]]> = [
  ['/write', 200, 'one two three', 'X-Via: write'],
  ['/late-start', 200, 'late', 'X-Late: yes'],
  ['/replaced', 501, 'replaced', 'X-New: 1'],
  ['/replaced-bare', 503, 'with a body'],
  ['/no-length', 200, 'one part', 'Content-Length: 8'],
  ['/two-parts', 200, 'two parts', 'Content-Length: 9'],
  ['/generator', 200, 'ab', 'Transfer-Encoding: chunked'],
  ['/empty', 200, '', 'Content-Length: 0'],
  ['/teapot', 418, 'short and stout'],
  ['/too-long', 200, 'abc', 'Content-Length: 3'],
  ['/latin1', 200, 'x', 'X-A: \xe9'],
  ['/204', 204, ''],
  ['/304', 304, '', 'ETag: "a"'],
  ['/file', 200, 'FILE', 'Content-Length: FILE'],
  ['/file-length', 200, 'FILE7', 'Content-Length: 7'],
  ['/file-wrapped', 200, 'FILEUP'],
  ['/file-bytesio', 200, 'from memory'],
  ['/file-temp', 200, 'temporary', 'Content-Length: 9'],
];

test('answers follow PEP 3333', { skip }, async (t) => {
  const { port } = await traps(t);
  const file = (await readFile(join(APPS, 'wsgi_traps.py'), 'utf8')).slice(4);
  const fill = (text: string): string =>
    text
      .replace('FILE7', file.slice(0, 7))
      .replace('FILEUP', file.toUpperCase())
      .replace('Content-Length: FILE', `Content-Length: ${file.length}`)
      .replace(/^FILE$/, file);
  for (const [path, status, body, ...headers] of ANSWERS) {
    const answer = await ask(port, path);
    assert.equal(answer.status, status, path);
    assert.equal(answer.text, fill(body), path);
    for (const header of headers) {
      const [name = '', value] = fill(header).split(': ');
      assert.equal(answer.header(name), value, `${path} ${name}`);
    }
  }
  assert.equal((await ask(port, '/replaced')).header('X-Old'), undefined);
  const { fields } = await ask(port, '/cookies');
  assert.deepEqual(
    fields.filter(([name]) => name === 'Set-Cookie').map(([, value]) => value),
    ['a=1', 'b=2'],
  );
});

test('fields about the connection are the server\u2019s: an application\u2019s own are left out, and told once', {
  skip,
}, async (t) => {
  const { port, find, events } = await traps(t);
  for (let count = 0; count < 2; count++) {
    const answer = await ask(port, '/hop');
    assert.deepEqual([answer.status, answer.text], [200, 'x']);
    assert.deepEqual(
      [answer.header('Transfer-Encoding'), answer.header('Keep-Alive')],
      [undefined, undefined],
    );
    assert.deepEqual([answer.header('Content-Length'), answer.header('X-Other')], ['1', 'there']);
  }
  const told = /the application sends Transfer-Encoding, .* left out/;
  await find('application-output', ({ line }) => told.test(line));
  assert.equal(
    events.filter((event) => event.type === 'application-output' && told.test(event.line)).length,
    1,
  );
});

/** What an application may not do: a clean 500, and the reason in the log. */
const FAILURES: ReadonlyArray<readonly [path: string, reason: RegExp]> = [
  ['/twice', /start_response was called twice/],
  ['/no-start', /did not call start_response/],
  ['/str-body', /must produce bytes, not str/],
  ['/bytes-itself', /not bytes itself/],
  ['/crlf', /control character/],
  ['/crlf-status', /control character/],
  ['/crlf-name', /not a header name/],
  ['/nul', /control character/],
  ['/beyond-latin1', /latin-1/],
  ['/int-status', /the status must be a str/],
  ['/status-100', /the status must be/],
  ['/too-short', /sent 3 bytes of its Content-Length 9/],
  ['/raise', /ZeroDivisionError: division by zero/],
  ['/raise-iter', /RuntimeError: failed in the middle/],
  ['/system-exit', /SystemExit: 7/],
  ['/keyboard', /KeyboardInterrupt/],
  ['/generator-exit', /GeneratorExit/],
  ['/recursion', /RecursionError/],
  ['/memory', /MemoryError/],
];

test('an application that breaks the rules gives a clean 500 and the reason in the log', {
  skip,
}, async (t) => {
  const { port, events } = await traps(t);
  for (const [path, reason] of FAILURES) {
    const answer = await ask(port, path);
    assert.equal(answer.status, 500, path);
    assert.equal(answer.header('X-Injected'), undefined, path);
    assert.doesNotMatch(answer.text, /Traceback|wsgi_traps/, path);
    const event = events.findLast((one) => one.type === 'application-error');
    assert.match(event?.message ?? '', reason, path);
    assert.equal(event?.target, path);
  }
  const page = events.findLast((one) => one.type === 'application-error' && one.target === '/raise');
  assert.match(page?.type === 'application-error' ? (page.traceback ?? '') : '', /wsgi_traps\.py/);
  assert.doesNotMatch(JSON.stringify(page), /nettool_host/);
});

test('what fails after its first bytes is cut off, never ended as if it were complete', {
  skip,
}, async (t) => {
  const { port } = await traps(t);
  for (const path of ['/too-late', '/raise-middle', '/too-short-stream']) {
    const head = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    const text = (await exchange(port, head).catch(() => Buffer.from('reset'))).toString();
    assert.ok(!text.includes('200 OK') || !text.endsWith('0\r\n\r\n'), path);
    assert.doesNotMatch(text, /never/);
  }
  assert.equal((await ask(port, '/no-length')).status, 200, 'the worker lives on');
});

test('HEAD sends the head alone and does not run through the body', { skip }, async (t) => {
  const { port } = await traps(t);
  const list = await ask(port, '/no-length', { method: 'HEAD' });
  assert.equal(list.header('Content-Length'), '8');
  assert.equal(list.body.length, 0);
  const endless = await ask(port, '/endless', { method: 'HEAD' });
  assert.equal(endless.status, 200);
  assert.match((await ask(port, '/closed')).text, /endless/);
});

test('close() is called once: at the end, after a failure, and when the client leaves', {
  skip,
}, async (t) => {
  const { port } = await traps(t);
  await ask(port, '/closing');
  await ask(port, '/raise-iter');
  await exchange(port, 'GET /raise-middle HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n').catch(() => {});
  const socket = await open(port, 'GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  // The one worker is busy with the endless answer until it hears of that.
  assert.equal((await ask(port, '/closed')).text, 'closing raise-iter raise-middle endless');
});

test('each part of a streamed answer is sent before the next is made', { skip }, async (t) => {
  const { port, get } = await traps(t, { threads: 2 });
  const socket = await open(port, 'GET /slow-stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let text = '';
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('first')) resolve();
    });
  });
  assert.doesNotMatch(text, /second/);
  const ended = new Promise((resolve) => socket.once('end', resolve));
  await get('/release');
  await ended;
  assert.match(text, /second/);
});

test('103 Early Hints go out ahead of the answer', { skip }, async (t) => {
  const { port } = await traps(t);
  const text = (
    await exchange(port, 'GET /hints HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  ).toString();
  assert.match(text, /^HTTP\/1\.1 103 [^\r]*\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200/);
});

test('what the application prints becomes events, whatever it is', { skip }, async (t) => {
  const { get, find } = await traps(t);
  await get('/print');
  const out = await find('application-output', ({ stream }) => stream === 'stdout');
  assert.equal(out.line, 'to stdout');
  const error = await find('application-output', ({ stream }) => stream === 'stderr');
  assert.equal(error.line, 'café \\udcff');
});

test('threads answer at the same time, and the environ says so', { skip }, async (t) => {
  const { get } = await traps(t, { threads: 4 });
  const started = performance.now();
  await Promise.all(Array.from({ length: 4 }, () => get('/sleep?0.4').then((answer) => answer.text())));
  assert.ok(performance.now() - started < 1200);
  const { values } = (await (await get('/environ')).json()) as { values: Record<string, unknown> };
  assert.equal(values['wsgi.multithread'], true);
});

test('a slow client holds back the application, not the memory', { skip }, async (t) => {
  const { port } = await traps(t);
  const before = process.memoryUsage().rss;
  const socket = await open(port, 'GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.ok(process.memoryUsage().rss - before < 60 * 2 ** 20);
  socket.destroy();
  assert.equal((await ask(port, '/no-length')).status, 200);
});

test('the validator of the standard library has no complaint', { skip }, async (t) => {
  const { port } = await hostPython(t, 'validated.py');
  assert.equal((await ask(port, '/x?a')).text, '!');
  assert.equal((await ask(port, '/x?write', { method: 'POST', body: 'body' })).text, 'written body!');
  assert.equal((await ask(port, '/', { method: 'HEAD' })).status, 200);
});

if (noSystemPython === false) {
  testHandlerContract('a WSGI application', {
    create: async (t) => (await traps(t)).handler,
    small: { path: '/no-length', body: 'one part' },
    large: { path: '/big?20000000', sizeBytes: 20_000_000 },
    missing: '/none',
    echo: '/echo',
    repeated: { path: '/cookies', name: 'Set-Cookie', values: ['a=1', 'b=2'] },
    failing: '/raise',
  });
}
