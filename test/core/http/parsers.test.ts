import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseContentRange, readValidator } from '../../../src/core/http/content-range.js';
import { toDownloadName } from '../../../src/core/http/download-name.js';
import { toUnicode } from '../../../src/core/http/header-bytes.js';
import { findNetrcLogin } from '../../../src/core/http/netrc.js';
import { LENIENT_RULES, type ReplyHead } from '../../../src/core/http/reply-head.js';
import { ReplyParser } from '../../../src/core/http/reply-parser.js';
import { pauseMs, retryAfterMs } from '../../../src/core/http/retry.js';
import { parseProxyAddress } from '../../../src/core/net/proxy-address.js';
import { chooseProxy, matchesNoProxy } from '../../../src/core/net/proxy-choice.js';

function parse(pieces: readonly Buffer[], method = 'GET') {
  const seen = { head: undefined as ReplyHead | undefined, body: '', ended: false };
  const sink = {
    onInterim: () => {},
    onUpgrade: () => {},
    onHead: (head: ReplyHead) => {
      seen.head = head;
    },
    onBody: (bytes: Buffer) => {
      seen.body += bytes.toString('latin1');
    },
    onEnd: () => {
      seen.ended = true;
    },
  };
  const parser = new ReplyParser(sink, LENIENT_RULES);
  parser.begin(method);
  for (const piece of pieces) {
    parser.push(piece);
    // The bytes are only lent.
    piece.fill(0);
  }
  return { ...seen, parser };
}

const CHUNKED =
  'HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 All  right\r\nX-A:  b \r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nT: 1\r\n\r\n';

test('a reply is the same however it is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(CHUNKED.length), { maxLength: 12 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), CHUNKED.length];
      const pieces = at.slice(1).map((end, index) => Buffer.from(CHUNKED.slice(at[index], end), 'latin1'));
      const { head, body, ended, parser } = parse(pieces);
      assert.deepEqual(
        [head?.status, head?.reason, body, ended, parser.isReusable],
        [200, 'All  right', 'hello world', true, true],
      );
      assert.deepEqual(head?.headers, [
        ['X-A', 'b'],
        ['Transfer-Encoding', 'chunked'],
      ]);
    }),
    { numRuns: 300 },
  );
});

for (const [what, reply] of [
  ['a version that is none', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a status that is none', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a blank before the colon', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n'],
  ['a bare carriage return', 'HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n'],
  ['a NUL', 'HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n'],
  ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
  ['an absurd length', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n'],
  ['two lengths in one field', 'HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n'],
  ['an unknown transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a chunk size with a sign', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n'],
  ['a chunk size in prose', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n'],
  ['a chunk longer than its size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n'],
  [
    'a chunk that ends with a bare line feed',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n',
  ],
  [
    'an endless chunk extension',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(20_000)}`,
  ],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => parse([Buffer.from(reply, 'latin1')]));
  });
}

test('the same length twice is one, and answers without content have none', () => {
  const twice = parse([Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab')]);
  assert.deepEqual([twice.body, twice.ended], ['ab', true]);
  assert.equal(parse([Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n')], 'HEAD').ended, true);
  assert.equal(parse([Buffer.from('HTTP/1.1 304 OK\r\nContent-Length: 9\r\n\r\n')]).ended, true);
  assert.equal(parse([Buffer.from('HTTP/1.1 200 OK\r\n\r\nabc')]).parser.finish(), true);
  assert.equal(
    parse([Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc')]).parser.finish(),
    false,
  );
  const more = parse([Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc')]);
  assert.deepEqual([more.body, more.parser.isReusable], ['a', false]);
});

test('a folded field is one line, and a length beside chunks does not count', () => {
  const folded = parse([Buffer.from('HTTP/1.1 200 OK\r\nA: b\r\n\t c\r\nContent-Length: 2\r\n \r\n\r\nab')]);
  assert.deepEqual(folded.head?.headers, [
    ['A', 'b c'],
    ['Content-Length', '2'],
  ]);
  assert.equal(folded.body, 'ab');
  const both =
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n';
  const { body, ended, parser } = parse([Buffer.from(both)]);
  assert.deepEqual([body, ended, parser.isReusable], ['ab', true, false]);
});

for (const [what, reply, body] of [
  ['line ends without a carriage return in a head', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nab', 'ab'],
  ['a list of equal lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab', 'ab'],
  [
    'a coding that changes nothing',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab',
    'ab',
  ],
  [
    'blanks in the line of a chunk',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked \r\n\r\n2  \r\nab\r\n1 ; x\r\nc\r\n0\r\n\r\n',
    'abc',
  ],
  [
    'a trailer that is none',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Length: 9\r\n\r\n',
    'a',
  ],
  ['a length where there is no content', 'HTTP/1.1 204 OK\r\nContent-Length: 2\r\n\r\n', ''],
  ['a status of its own', 'HTTP/1.1 999 Denied\r\nContent-Length: 1\r\n\r\na', 'a'],
] as const) {
  test(`${what} can mean one thing only, and is taken`, () => {
    const seen = parse([Buffer.from(reply, 'latin1')]);
    assert.deepEqual([seen.body, seen.ended, seen.parser.isReusable], [body, true, true]);
    const bytes = [...reply].map((char) => Buffer.from(char, 'latin1'));
    assert.equal(parse(bytes).body, body);
  });
}

test('a reason and values that are UTF-8 are read as that', () => {
  const { head } = parse([Buffer.from('HTTP/1.1 200 Olé\r\nX: é\r\n\r\n')]);
  assert.deepEqual(
    [head?.reason, head?.headers[0]?.[1]].map((text) => toUnicode(text ?? '')),
    ['Olé', 'é'],
  );
  assert.equal(toUnicode('caf\xe9'), 'caf\xe9');
});

test('names of downloads cannot leave the folder, hide or carry controls', () => {
  const url = new URL('http://x/a/file.txt?x');
  const name = (field: string): string => toDownloadName([['Content-Disposition', field]], url);
  for (const [field, expected] of [
    ['attachment', 'file.txt'],
    ['attachment; filename=plain.txt', 'plain.txt'],
    ['attachment; filename=a b c.txt ; size=3', 'a b c.txt'],
    ['attachment; filename="a \\"b\\".txt"', 'a _b_.txt'],
    ['attachment; filename="x"; filename*=UTF-8\'\'%e2%82%ac.txt', '€.txt'],
    ["attachment; filename*=iso-8859-1''caf%e9", 'café'],
    ["attachment; filename*=UTF-8''%ff; filename=fallback", 'fallback'],
    ['attachment; filename="../../etc/passwd"', 'passwd'],
    ['attachment; filename="..\\\\..\\\\evil.exe"', 'evil.exe'],
    ["attachment; filename*=UTF-8''a%2Fb%5Cc", 'c'],
    ['attachment; filename=".bashrc"', 'bashrc'],
    ['attachment; filename=".."', 'file.txt'],
    ['attachment; filename="con.txt"', '_con.txt'],
    ['attachment; filename="-rf"', 'rf'],
    ['attachment; filename="a\u202etxt.exe"', 'atxt.exe'],
    ["attachment; filename*=UTF-8''a%0d%0ab%1b%00", 'ab'],
  ] as const) {
    assert.equal(name(field), expected, field);
  }
  assert.equal(toDownloadName([], new URL('http://x/')), 'download');
  assert.equal(toDownloadName([], new URL('http://x/%2e%2e%2fup')), 'up');
  assert.ok(Buffer.byteLength(toDownloadName([], new URL(`http://x/${'é'.repeat(300)}.tar`))) <= 200);
});

test('Content-Range and validators', () => {
  const range = (text: string) => parseContentRange([['Content-Range', text]]);
  assert.deepEqual(range('bytes 0-9/100'), { start: 0, end: 9, sizeBytes: 100 });
  assert.deepEqual(range('bytes 5-9/*'), { start: 5, end: 9, sizeBytes: undefined });
  assert.deepEqual(range('bytes */100'), { start: undefined, end: undefined, sizeBytes: 100 });
  assert.equal(range('items 0-9/100'), undefined);
  assert.equal(
    readValidator([
      ['ETag', '"a"'],
      ['Last-Modified', 'x'],
    ]),
    '"a"',
  );
  assert.equal(
    readValidator([
      ['ETag', 'W/"a"'],
      ['Last-Modified', 'x'],
    ]),
    undefined,
  );
  assert.equal(readValidator([['Last-Modified', 'x']]), 'x');
});

test('netrc: exact host, default, quotes, comments and macros', () => {
  const text =
    '# c\nmachine a.example\n  login ada\n  password "x y\\"z"\nmacdef init\nmachine evil login e password e\n\nmachine b login bob password #hash\ndefault login any password one\n';
  assert.deepEqual(findNetrcLogin(text, 'A.example')?.password, 'x y"z');
  assert.equal(findNetrcLogin(text, 'b')?.password, '#hash');
  assert.equal(findNetrcLogin(text, 'evil')?.login, 'any');
  assert.equal(findNetrcLogin('machine a login b password c', 'sub.a'), undefined);
});

test('pauses double up to a minute, with half of them at random; Retry-After is seconds or a date', () => {
  assert.deepEqual(
    [1, 2, 3].map((attempt) => pauseMs(attempt, 500, () => 1)),
    [500, 1000, 2000],
  );
  assert.equal(
    pauseMs(1, 500, () => 0),
    250,
  );
  assert.equal(
    pauseMs(30, 500, () => 1),
    60_000,
  );
  const after = (value: string) => retryAfterMs([['Retry-After', value]], Date.parse('2026-01-01T00:00:00Z'));
  assert.equal(after('120'), 120_000);
  assert.equal(after('Thu, 01 Jan 2026 00:00:30 GMT'), 30_000);
  assert.equal(after('Thu, 01 Jan 2025 00:00:30 GMT'), 0);
  assert.equal(after('soon'), undefined);
});

test('no_proxy knows suffixes, ports, stars, addresses and networks', () => {
  for (const [url, list, matches] of [
    ['http://a.example.org', 'example.org', true],
    ['http://a.example.org', '.example.org', true],
    ['http://a.example.org', '*.example.org', true],
    ['http://example.org', '.example.org', true],
    ['http://badexample.org', 'example.org', false],
    ['http://example.org:81', 'example.org:80', false],
    ['http://example.org', 'a,example.org:80 , b', true],
    ['https://x', '*', true],
    ['http://10.1.2.3', '10.0.0.0/8', true],
    ['http://11.1.2.3', '10.0.0.0/8', false],
    ['http://10.1.2.3', '10.1.2.3', true],
    ['http://[2001:db8::1]:8080', '2001:db8::/32', true],
    ['http://[2001:db9::1]', '2001:db8::/32', false],
    ['http://[2001:db8::1]', '[2001:db8::1]', true],
    ['http://10.1.2.3', '2.3', false],
    ['http://x', '', false],
  ] as const) {
    assert.equal(matchesNoProxy(new URL(url), list), matches, `${url} in '${list}'`);
  }
});

test('the environment chooses a proxy in both cases, but HTTP_PROXY not in a CGI program', () => {
  const choose = (url: string, env: Record<string, string>) => chooseProxy(new URL(url), env)?.host;
  assert.equal(choose('http://x', { http_proxy: 'p:1' }), 'p');
  assert.equal(choose('http://x', { HTTP_PROXY: 'http://p:1' }), 'p');
  assert.equal(choose('http://x', { HTTP_PROXY: 'http://p:1', REQUEST_METHOD: 'GET' }), undefined);
  assert.equal(choose('https://x', { http_proxy: 'p:1' }), undefined);
  assert.equal(choose('https://x', { HTTPS_PROXY: 'p:1' }), 'p');
  assert.equal(choose('https://x', { ALL_PROXY: 'socks5h://p:1' }), 'p');
  assert.equal(choose('http://x', { http_proxy: 'p:1', NO_PROXY: 'x' }), undefined);
  for (const url of ['http://localhost', 'http://127.1.1.1', 'http://[::1]', 'http://a.localhost']) {
    assert.equal(choose(url, { http_proxy: 'p:1', all_proxy: 'p:1' }), undefined);
  }
  assert.deepEqual(parseProxyAddress('socks5h://u:p%40@[::1]:99'), {
    scheme: 'socks5h',
    host: '::1',
    port: 99,
    username: 'u',
    password: 'p@',
  });
  assert.equal(parseProxyAddress('http://p:80').port, 80);
  assert.throws(() => parseProxyAddress('gopher://x'), { code: 'USAGE' });
});
