import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { startHttp } from '../helpers/http-server.js';
import { parseLines, run } from '../helpers/run.js';
import { startStub } from '../helpers/stub-server.js';
import { tempDir } from '../helpers/temp-dir.js';

for (const method of ['get', 'post', 'put', 'patch', 'delete', 'options']) {
  test(`${method} sends ${method.toUpperCase()} with its items and prints the body`, async (t) => {
    const { url, received } = await startHttp(t, (res) => res.end('done'));
    const result = await run([method, url, 'a=1', 'X-A:b', 'q==v']);
    assert.deepEqual([result.code, result.stdout], [0, 'done']);
    assert.equal(received[0]?.method, method.toUpperCase());
    assert.equal(received[0]?.target, '/?q=v');
    assert.equal(received[0]?.body, '{"a":"1"}');
    assert.equal(received[0]?.headers['x-a'], 'b');
  });
}

test('head prints the header fields', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.setHeader('Content-Length', '5').end());
  const result = await run(['head', url]);
  assert.equal(received[0]?.method, 'HEAD');
  assert.match(result.stdout, /^HTTP\/1\.1 200 OK\nContent-Length: 5\n/);
  assert.equal(result.code, 0);
});

test('a file field makes a multipart body, with name, type and content', async (t) => {
  const cwd = tempDir(t, { 'me.png': 'PNG', 'a"b.txt': 'text' });
  const { url, received } = await startHttp(t, (res) => res.end());
  const result = await run(
    ['post', url, 'user=Ada', 'photo@me.png', '--file', 'f=@a"b.txt;type=text/x;filename=c.txt'],
    { cwd },
  );
  assert.equal(result.code, 0, result.stderr);
  const { headers, body } = received[0] ?? { headers: {}, body: '' };
  const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(headers['content-type'] ?? '')?.[1];
  assert.equal(headers['content-length'], String(body.length));
  assert.deepEqual(body.split(`--${boundary}`), [
    '',
    '\r\nContent-Disposition: form-data; name="user"\r\n\r\nAda\r\n',
    '\r\nContent-Disposition: form-data; name="photo"; filename="me.png"\r\nContent-Type: image/png\r\n\r\nPNG\r\n',
    '\r\nContent-Disposition: form-data; name="f"; filename="c.txt"\r\nContent-Type: text/x\r\n\r\ntext\r\n',
    '--\r\n',
  ]);
});

test('--multipart sends fields without a file as a form of parts, and no name can end its line', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.end());
  assert.equal((await run(['post', url, '--multipart', 'a"b=1'])).code, 0);
  assert.match(received[0]?.body ?? '', /name="a%22b"\r\n\r\n1\r\n/);
});

test('--compress packs the body when that makes it smaller, a stream too', async (t) => {
  const cwd = tempDir(t, { 'big.txt': 'abc'.repeat(500_000) });
  const seen: Array<readonly [string | undefined, Buffer]> = [];
  const { createServer } = await import('node:http');
  const { listen } = await import('../helpers/stub-server.js');
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    seen.push([req.headers['content-encoding'], Buffer.concat(chunks)]);
    res.end();
  });
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  await run(['post', url, `a=${'x'.repeat(5000)}`, '--compress']);
  await run(['post', url, 'a=1', '--compress']);
  await run(['post', url, '-d', '@big.txt', '--compress'], { cwd });
  assert.equal(seen[0]?.[0], 'gzip');
  assert.match(gunzipSync(seen[0]?.[1] ?? '').toString(), /^\{"a":"x{5000}"\}$/);
  assert.deepEqual([seen[1]?.[0], seen[1]?.[1].toString()], [undefined, '{"a":"1"}']);
  assert.equal(gunzipSync(seen[2]?.[1] ?? '').length, 1_500_000);
});

test('a large file is streamed with its length, stdin in chunks as it comes', async (t) => {
  const cwd = tempDir(t);
  const content = Buffer.alloc(3 * 2 ** 20, 'nettool ');
  writeFileSync(join(cwd, 'big'), content);
  const { url, received } = await startHttp(t, (res) => res.end());
  await run(['put', url, '-d', '@big'], { cwd });
  assert.equal(received[0]?.headers['content-length'], String(content.length));
  assert.equal(received[0]?.headers['content-type'], 'application/octet-stream');
  assert.equal(received[0]?.body, content.toString());
  await run(['put', url, '-d', '@-'], { stdin: content });
  assert.equal(received[1]?.headers['transfer-encoding'], 'chunked');
  assert.equal(received[1]?.body, content.toString());
});

test('stdin is sent as it comes when its type is given', async (t) => {
  const stdin = new PassThrough();
  const { url, requests } = await startStub(t, (socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    stdin.end('second');
  });
  stdin.write('first');
  assert.equal((await run(['post', url, '-d', '@-', 'Content-Type:text/plain'], { stdin })).code, 0);
  assert.match(requests[0] ?? '', /Transfer-Encoding: chunked\r\n[\s\S]*5\r\nfirst/);
});

test('a body that is slow to be made is not a server that stands still', async (t) => {
  const stdin = new PassThrough();
  const { url, received } = await startHttp(t, (res) => res.end('got'));
  stdin.write('a');
  setTimeout(() => stdin.end('b'), 400);
  const flags = ['-d', '@-', 'Content-Type:text/plain', '--idle-timeout', '150ms'];
  const result = await run(['post', url, ...flags], { stdin });
  assert.deepEqual([result.code, result.stdout, received[0]?.body], [0, 'got', 'ab'], result.stderr);
});

test('a streamed file is sent again after a redirect that keeps the method, stdin is not', async (t) => {
  const cwd = tempDir(t, { big: 'x'.repeat(2 * 2 ** 20) });
  const { url, received } = await startHttp(t, (res, { target }) => {
    if (target === '/') res.writeHead(307, { location: '/there' });
    res.end();
  });
  assert.equal((await run(['put', url, '-d', '@big'], { cwd })).code, 0);
  assert.equal(received[1]?.body.length, 2 * 2 ** 20);
  const stdin = 'x'.repeat(2 * 2 ** 20);
  assert.equal((await run(['put', url, '-d', '@-'], { stdin })).code, 47);
});

test('secrets come from the environment and from files, and are in no message', async (t) => {
  const cwd = tempDir(t, { token: 'file-secret\n', hdr: 'X-One: 1\nX-Two: 2\n' });
  const env = { TOKEN: 'env-secret', KEY: 'key-secret' };
  const { url, received } = await startHttp(t, (res) => res.end());
  const all = [
    ['--bearer', 'env:TOKEN'],
    ['--bearer', '@token'],
    ['Authorization:Bearer env:TOKEN'],
    ['X-Api-Key:env:KEY', '-H', '@hdr'],
    ['--cookie', 'sid=env:KEY', '-p', 'api_key=env:KEY'],
    ['--auth', 'ada:env:KEY'],
    ['--auth', 'ada:literal'],
  ];
  for (const flags of all) {
    const result = await run(['get', url, ...flags, '-v'], { env, cwd });
    assert.equal(result.code, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /env-secret|file-secret|key-secret|literal/);
  }
  assert.deepEqual(
    received.map(({ headers }) => headers.authorization),
    [
      'Bearer env-secret',
      'Bearer file-secret',
      'Bearer env-secret',
      undefined,
      undefined,
      `Basic ${Buffer.from('ada:key-secret').toString('base64')}`,
      `Basic ${Buffer.from('ada:literal').toString('base64')}`,
    ],
  );
  assert.equal(received[3]?.headers['x-api-key'], 'key-secret');
  assert.equal(received[3]?.headers['x-two'], '2');
  assert.equal(received[4]?.headers.cookie, 'sid=key-secret');
  assert.equal(received[4]?.target, '/?api_key=key-secret');
  assert.equal((await run(['get', url, '--bearer', 'env:NONE'], { env })).code, 2);
  assert.equal((await run(['get', url, '--bearer', '@none'], { cwd })).code, 26);
});

test('netrc is read when asked for, for exactly this host, and never over a given field', async (t) => {
  const cwd = tempDir(t, {
    netrc: 'machine 127.0.0.1 login ada password "s3 cret"\nmachine other login x password y\n',
  });
  const { url, received } = await startHttp(t, (res) => res.end());
  await run(['get', url, '--netrc-file', 'netrc'], { cwd });
  await run(['get', url, '--netrc'], { cwd, env: { NETRC: join(cwd, 'netrc') } });
  await run(['get', url, '--netrc-file', 'netrc', 'Authorization:mine'], { cwd });
  await run(['get', url], { cwd, env: { NETRC: join(cwd, 'netrc') } });
  await run(['get', url.replace('127.0.0.1', 'localhost'), '--netrc-file', 'netrc'], { cwd });
  const basic = `Basic ${Buffer.from('ada:s3 cret').toString('base64')}`;
  assert.deepEqual(
    received.map(({ headers }) => headers.authorization),
    [basic, basic, 'mine', undefined, undefined],
  );
});

test('flags that contradict each other are exit 2, with one line, and nothing is sent', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.end());
  for (const argv of [
    ['post', url, '--form', 'a:=1'],
    ['post', url, '--multipart', 'a:=1'],
    ['post', url, '--form', '--multipart', 'a=1'],
    ['post', url, '-d', 'x', 'a=1'],
    ['post', url, '-d', 'x', '--file', 'f=@x'],
    ['get', url, '--auth', 'a:b', '--bearer', 'c'],
    ['get', url, '--auth', 'nopassword'],
    ['get', url, '--auth-type', 'digest'],
    ['get', url, '--http1.1', '--http2'],
    ['get', url, '-4', '-6'],
    ['get', url, '--key', 'k'],
    ['get', url, '-o', 'x', '-O'],
    ['get', url, '-o', 'x', '--url', url],
    ['get', url, '-c'],
    ['get', url, '--parallel', '2'],
    ['get', url, '--fail-early'],
    ['get', url, '--stream', '--json'],
    ['get', url, '--dry-run', '--as-curl'],
    ['get', url, '-i', '--body'],
    ['get', url, '--retry-all'],
    ['get', url, '--checksum', 'sha256:12'],
    ['get', url, '--expect', '2x'],
    ['get', url, '--expect-body', '('],
    ['get', url, '--expect-header', 'none'],
    ['get', url, '--expect-json', 'none'],
    ['get', url, '--pin', 'sha256//x'],
    ['get', url, '--resolve', 'nonsense'],
    ['get', url, '--proxy', 'ftp://x'],
    ['get', url, '--limit-rate', '0'],
    ['get', url, '--cookie', 'novalue'],
    ['get', url, '--cookie', 'a=b\r\nX: y'],
    ['get', url, '--print', 'xyz'],
    ['get', url, '--bearer', 'a\r\nb'],
    ['get', url, '--session', '..'],
    ['post', url, 'f@x;filename=a\r\nb'],
    ['post', '--url', url, '--url', url, '-d', '@-', 'Content-Type:x/y'],
    ['get'],
  ]) {
    const result = await run(argv);
    assert.equal(result.code, 2, `${JSON.stringify(argv)} ${result.code} ${result.stderr}`);
    assert.match(result.stderr, /^nettool (get|post): [^\n]+\n(hint: [^\n]+\n)?$/);
    if (!argv.includes('--json')) assert.equal(result.stdout, '');
  }
  assert.equal(received.length, 0);
});

test('what cannot be read is exit 26 before anything is sent', async (t) => {
  const cwd = tempDir(t, { 'not.pem': 'nothing' });
  const { url, received } = await startHttp(t, (res) => res.end());
  for (const flags of [
    ['f@missing'],
    ['f@.'],
    ['--file', 'f=@missing'],
    ['-d', '@missing'],
    ['a=@missing'],
    ['-H', '@missing'],
    ['--cacert', 'missing'],
    ['--cacert', 'not.pem'],
    ['--cert', 'not.pem'],
    ['--netrc-file', 'missing'],
    ['--session', './not.pem'],
  ]) {
    const result = await run(['post', url, ...flags], { cwd });
    assert.equal(result.code, 26, `${flags} ${result.stderr}`);
  }
  assert.equal(received.length, 0);
});

test('a Content-Length that is not the length of the body is refused', async (t) => {
  const { url, received } = await startHttp(t, (res) => res.end());
  assert.equal((await run(['post', url, '-d', 'abc', 'Content-Length:99'])).code, 2);
  assert.equal(received.length, 0);
});

test('every flag is in --help with an example', async () => {
  const { stdout } = await run(['get', '--help']);
  const [flags = '', examples = ''] = stdout.split('\nExamples:\n');
  const names = [...flags.matchAll(/^ {2}(?:-\w, )?(--[\w.-]+)/gm)].map((match) => match[1] as string);
  assert.ok(names.length > 60, String(names.length));
  const short = new Map(
    [...flags.matchAll(/^ {2}(-\w), (--[\w.-]+)/gm)].map((match) => [match[2], match[1]]),
  );
  const missing = names.filter((name) => {
    const letter = short.get(name);
    return !examples.includes(name) && !(letter && new RegExp(`(^|\\s)${letter}\\b`, 'm').test(examples));
  });
  const global = [
    '--json',
    '--quiet',
    '--verbose',
    '--color',
    '--no-progress',
    '--show-secrets',
    '--version',
    '--help',
  ];
  assert.deepEqual(
    missing.filter((name) => !global.includes(name)),
    [],
  );
});

test('--json of a request that is not sent is one document', async () => {
  const result = await run(['post', 'http://x/', 'a=1', '--bearer', 'sssecret', '--dry-run', '--json']);
  const [document] = parseLines(result.stdout);
  assert.deepEqual([document.type, document.method, document.content], ['request', 'POST', { a: '1' }]);
  assert.doesNotMatch(result.stdout, /sssecret/);
});
