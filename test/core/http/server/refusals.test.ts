import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, start, statuses } from './raw.js';

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const GOOD = 'GET / HTTP/1.1\r\nHost: a\r\n';

/** What is sent, and the status it is refused with. */
const REFUSED: readonly [title: string, head: string, status: number][] = [
  ['a bare line feed after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
  ['bare line feeds all over', 'GET / HTTP/1.1\nHost: a\n\n', 400],
  ['a bare carriage return in a value', `${GOOD}X: a\rb\r\n\r\n`, 400],
  ['a bare line feed in a value', `${GOOD}X: a\nb\r\n\r\n`, 400],
  ['a carriage return before the end of a line', `${GOOD}X: a\r\r\n\r\n`, 400],
  ['a folded line', `${GOOD}X: a\r\n b\r\n\r\n`, 400],
  ['a fold before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400],
  ['a space before the colon', `${GOOD}X : a\r\n\r\n`, 400],
  ['a tab before the colon', `${GOOD}X\t: a\r\n\r\n`, 400],
  ['an empty name', `${GOOD}: a\r\n\r\n`, 400],
  ['a name that is no token', `${GOOD}X(: a\r\n\r\n`, 400],
  ['a line without a colon', `${GOOD}X\r\n\r\n`, 400],
  ['NUL in a value', `${GOOD}X: a\0b\r\n\r\n`, 400],
  ['an escape byte in a value', `${GOOD}X: \x1b[0m\r\n\r\n`, 400],
  ['DEL in a value', `${GOOD}X: \x7f\r\n\r\n`, 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['no field at all but another', 'GET / HTTP/1.1\r\nX: a\r\n\r\n', 400],
  ['two Hosts', `${GOOD}Host: b\r\n\r\n`, 400],
  ['the same Host twice', `${GOOD}host: a\r\n\r\n`, 400],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
  ['a Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
  ['two Hosts joined by a comma', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', 400],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['a Host with a user', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
  ['a Host with a port that is none', 'GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n', 400],
  ['a malformed Host in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a b\r\n\r\n', 400],
  ['two different Content-Lengths', `${GOOD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
  ['the same Content-Length twice', `${GOOD}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`, 400],
  ['a list of Content-Lengths', `${GOOD}Content-Length: 1, 1\r\n\r\na`, 400],
  ['a signed Content-Length', `${GOOD}Content-Length: +1\r\n\r\na`, 400],
  ['a negative Content-Length', `${GOOD}Content-Length: -1\r\n\r\na`, 400],
  ['a hexadecimal Content-Length', `${GOOD}Content-Length: 0x1\r\n\r\na`, 400],
  ['an empty Content-Length', `${GOOD}Content-Length:\r\n\r\n`, 400],
  ['a Content-Length with a space in it', `${GOOD}Content-Length: 1 1\r\n\r\n`, 400],
  ['a Content-Length beyond all measure', `${GOOD}Content-Length: 9999999999999999999\r\n\r\n`, 413],
  ['a Content-Length of thirty digits', `${GOOD}Content-Length: ${'9'.repeat(30)}\r\n\r\n`, 400],
  ['a Content-Length above the limit', `${GOOD}Content-Length: 999999999\r\n\r\n`, 413],
  ['both framings', `${GOOD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  [
    'both framings, the other way round',
    `${GOOD}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['Transfer-Encoding: xchunked', `${GOOD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
  ['Transfer-Encoding with a tab after it', `${GOOD}Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n`, 400],
  ['Transfer-Encoding: identity', `${GOOD}Transfer-Encoding: identity\r\n\r\n`, 400],
  ['Transfer-Encoding: gzip, chunked', `${GOOD}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 501],
  ['Transfer-Encoding: chunked, gzip', `${GOOD}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, 400],
  ['Transfer-Encoding: chunked, chunked', `${GOOD}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, 400],
  ['Transfer-Encoding with a vertical tab', `${GOOD}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`, 400],
  [
    'Transfer-Encoding twice',
    `${GOOD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['an empty Transfer-Encoding', `${GOOD}Transfer-Encoding:\r\n\r\n`, 400],
  ['Transfer-Encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 505],
  ['HTTP/0.9', 'GET /\r\n\r\n', 400],
  ['http in small letters', 'GET / http/1.1\r\nHost: a\r\n\r\n', 400],
  ['two spaces in the request line', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a space after the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 400],
  ['a tab in the request line', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an unknown method', 'BREW / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['a method in small letters', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['a method that is no token', 'GE(T / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 501],
  ['* for GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a target that is no path', 'GET foo HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an authority as target', 'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a foreign scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an absolute target with a user', 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an absolute target without a host', 'GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a fragment', 'GET /#x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['raw bytes above ASCII in the target', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['half an escape', 'GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an encoded NUL', 'GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a long target', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ['a target without end', `GET /${'a'.repeat(20_000)}`, 414],
  ['large fields', `${GOOD}X: ${'a'.repeat(17_000)}\r\n\r\n`, 431],
  ['fields without end', `${GOOD}X: ${'a'.repeat(17_000)}`, 431],
  ['many fields', `${GOOD}${'X: a\r\n'.repeat(100)}\r\n`, 431],
  ['an unknown expectation', `${GOOD}Expect: 200-ok\r\n\r\n`, 417],
  ['two empty lines before the request', `\r\n\r\n${GOOD}\r\n`, 400],
  ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['a method without end', 'A'.repeat(100), 501],
];

test('everything that could be read in two ways is refused, and what follows it never reaches the handler', async (t) => {
  const { port, seen } = await start(t);
  for (const [title, head, status] of REFUSED) {
    await t.test(title, async () => {
      const received = await exchange(port, head + SMUGGLED);
      assert.deepEqual(statuses(received), [status], JSON.stringify(received));
      assert.match(received, /\r\nConnection: close\r\n/);
      assert.match(received, /\r\n\r\n\d{3} [^\r\n]+\n$/);
      assert.deepEqual(seen, []);
    });
  }
});

test('a refusal does not depend on how the bytes arrive', async (t) => {
  const { port, seen } = await start(t);
  for (const [title, head, status] of REFUSED.filter(([, head]) => head.length < 90)) {
    const received = await exchange(port, ...head.split(''), SMUGGLED);
    assert.deepEqual(statuses(received), [status], title);
  }
  assert.deepEqual(seen, []);
});

/** Bodies in chunks that are wrong somewhere. */
const BAD_CHUNKS: readonly [title: string, body: string][] = [
  ['a size that is not hexadecimal', 'xyz\r\n'],
  ['no size', '\r\nabc\r\n'],
  ['a signed size', '+3\r\nabc\r\n0\r\n\r\n'],
  ['0x before the size', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['a space before the size', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['a space after the size', '3 \r\nabc\r\n0\r\n\r\n'],
  ['an underscore in the size', '1_0\r\nabc\r\n0\r\n\r\n'],
  ['a size beyond all measure', 'fffffffffffffffff\r\nabc'],
  ['a bare line feed after the size', '3\nabc\r\n0\r\n\r\n'],
  ['a bare carriage return in an extension', '3;a\rb\r\nabc\r\n0\r\n\r\n'],
  ['a line feed in an extension', '3;a\nb\r\nabc\r\n0\r\n\r\n'],
  ['a chunk longer than it said', '3\r\nabcd\r\n0\r\n\r\n'],
  ['a chunk shorter than it said', '5\r\nabc\r\n0\r\n\r\n'],
  ['a bare line feed after a chunk', '3\r\nabc\n0\r\n\r\n'],
  ['an extension without a name', '3;=a\r\nabc\r\n0\r\n\r\n'],
  ['a tab in an extension', '3;a\t=b\r\nabc\r\n0\r\n\r\n'],
  ['an extension without end', `3;${'a'.repeat(1000)}`],
  ['a trailer that frames', '0\r\nContent-Length: 3\r\n\r\n'],
  ['a trailer that routes', '0\r\nHost: b\r\n\r\n'],
  ['a trailer with a space before the colon', '0\r\nX : b\r\n\r\n'],
];

test('a body whose chunks are wrong is refused, and nothing of it becomes a request', async (t) => {
  const { port, seen } = await start(t, async (request) => {
    for await (const chunk of request.body) void chunk;
    return { status: 200, headers: [] };
  });
  const head = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
  for (const [title, body] of BAD_CHUNKS) {
    await t.test(title, async () => {
      seen.length = 0;
      const received = await exchange(port, `${head}${body}${SMUGGLED}`);
      assert.deepEqual(statuses(received), [400], JSON.stringify(received));
      assert.match(received, /\r\nConnection: close\r\n/);
      assert.deepEqual(seen, ['POST /']);
    });
  }
});

test('a refusal in a pipeline comes after the answers before it', async (t) => {
  const { port, seen } = await start(t, async (request) => {
    await new Promise((resolve) => setImmediate(resolve));
    return { status: 200, headers: [], body: request.target };
  });
  const good = 'GET /good HTTP/1.1\r\nHost: a\r\n\r\n';
  const received = await exchange(port, `${good}GET / HTTP/1.1\r\n\r\n${SMUGGLED}`);
  assert.deepEqual(statuses(received), [200, 400]);
  assert.deepEqual(seen, ['GET /good']);
});
