import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeaderList } from '../../../src/core/http/messages.js';
import { type ReplyHead, STRICT_RULES } from '../../../src/core/http/reply-head.js';
import { ReplyParser, type ReplySink } from '../../../src/core/http/reply-parser.js';

interface Read {
  head: ReplyHead | undefined;
  body: string;
  trailers: HeaderList | undefined;
  interim: number[];
  rest: string | undefined;
}

function collect(): ReplySink & Read {
  return {
    head: undefined,
    body: '',
    trailers: undefined,
    interim: [],
    rest: undefined,
    onInterim(status) {
      this.interim.push(status);
    },
    onHead(head) {
      this.head = head;
    },
    onBody(bytes) {
      this.body += bytes.toString('latin1');
    },
    onEnd(trailers) {
      this.trailers = trailers;
    },
    onUpgrade(head, rest) {
      this.head = head;
      this.rest = rest.toString('latin1');
    },
  };
}

interface Case {
  readonly name: string;
  readonly text: string;
  readonly method?: string;
  readonly mayUpgrade?: boolean;
  /** The connection ends after it. */
  readonly closes?: boolean;
  readonly status: number;
  readonly body: string;
  readonly isReusable: boolean;
}

const GOOD: readonly Case[] = [
  {
    name: 'a length',
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n\r\nhello',
    status: 200,
    body: 'hello',
    isReusable: true,
  },
  {
    name: 'no words',
    text: 'HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n',
    status: 404,
    body: '',
    isReusable: true,
  },
  {
    name: 'chunks',
    text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n',
    status: 200,
    body: 'abc0123456789',
    isReusable: true,
  },
  {
    name: 'until the end',
    text: 'HTTP/1.1 200 OK\r\n\r\nall of it',
    closes: true,
    status: 200,
    body: 'all of it',
    isReusable: false,
  },
  {
    name: 'HTTP/1.0',
    text: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    body: 'ok',
    isReusable: false,
  },
  {
    name: 'HTTP/1.0 that stays',
    text: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    body: 'ok',
    isReusable: true,
  },
  {
    name: 'a last one',
    text: 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    body: 'ok',
    isReusable: false,
  },
  {
    name: 'HEAD',
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n',
    method: 'HEAD',
    status: 200,
    body: '',
    isReusable: true,
  },
  {
    name: 'HEAD of chunks',
    text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    method: 'HEAD',
    status: 200,
    body: '',
    isReusable: true,
  },
  { name: '204', text: 'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n', status: 204, body: '', isReusable: true },
  {
    name: '304 with a length',
    text: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n',
    status: 304,
    body: '',
    isReusable: true,
  },
  {
    name: 'interim replies',
    text: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
    status: 200,
    body: 'x',
    isReusable: true,
  },
  {
    name: 'another protocol',
    text: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n',
    mayUpgrade: true,
    status: 101,
    body: '',
    isReusable: false,
  },
];

for (const { name, text, method = 'GET', mayUpgrade = false, closes, status, body, isReusable } of GOOD) {
  test(`a reply with ${name} is the same however it is cut`, () => {
    const bytes = Buffer.from(text, 'latin1');
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const sink = collect();
      const parser = new ReplyParser(sink, STRICT_RULES);
      parser.begin(method, mayUpgrade);
      parser.push(bytes.subarray(0, cut));
      parser.push(bytes.subarray(cut));
      if (closes === true) parser.finish();
      assert.equal(sink.head?.status, status);
      assert.equal(sink.body, body);
      assert.equal(parser.isReusable, isReusable);
      if (status !== 101) assert.deepEqual(sink.trailers, []);
      if (name === 'interim replies') assert.deepEqual(sink.interim, [100, 103]);
    }
    const sink = collect();
    const parser = new ReplyParser(sink, STRICT_RULES);
    parser.begin(method, mayUpgrade);
    for (const byte of bytes) parser.push(Buffer.from([byte]));
    if (closes === true) parser.finish();
    assert.equal(sink.body, body);
  });
}

test('what follows 101 belongs to the other protocol', () => {
  const sink = collect();
  const parser = new ReplyParser(sink, STRICT_RULES);
  parser.begin('GET', true);
  parser.push(Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\nfirst words'));
  assert.equal(sink.rest, 'first words');
});

test('trailers come with the end', () => {
  const sink = collect();
  const parser = new ReplyParser(sink, STRICT_RULES);
  parser.begin('GET', false);
  parser.push(
    Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nChecksum: 7\r\n\r\n'),
  );
  assert.deepEqual(sink.trailers, [['Checksum', '7']]);
});

/** Replies two readers could understand in two ways, or that nobody may send. */
const BAD: Readonly<Record<string, string>> = {
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n',
  'two equal lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n',
  'a list of lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n',
  'a signed length': 'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n',
  'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'a hexadecimal length': 'HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n',
  'an enormous length': 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n',
  'an empty length': 'HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n',
  'length and coding': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
  'two codings': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n',
  'an unknown coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  'a coding that hides': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n',
  'a coding in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a space before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n',
  'a folded line': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n',
  'a bare line feed': 'HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n',
  'a bare carriage return': 'HTTP/1.1 200 OK\r\nX: a\rY: b\r\n\r\n',
  'a NUL': 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n',
  'an empty name': 'HTTP/1.1 200 OK\r\n: a\r\n\r\n',
  'no version': '<html>hello</html>',
  'HTTP/0.9': 'hello world, this is a page\r\n\r\n',
  'HTTP/2': 'HTTP/2 200 OK\r\n\r\n',
  'HTTP/1.2': 'HTTP/1.2 200 OK\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\n\r\n',
  'a status beyond 599': 'HTTP/1.1 600 Huh\r\n\r\n',
  'a status of zero': 'HTTP/1.1 000 Huh\r\n\r\n',
  'two spaces': 'HTTP/1.1  200 OK\r\n\r\n',
  'a control byte in the words': 'HTTP/1.1 200 O\x07K\r\n\r\n',
  '101 that nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n',
  '1xx with a length': 'HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n',
  '1xx with a coding': 'HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n',
  '1xx without end': 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(40),
  '204 with content': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
  '204 in chunks': 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a chunk size of junk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
  'a chunk size with a sign': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n',
  'a chunk size with a prefix': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n',
  'a chunk longer than it says': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n',
  'a bare line feed in a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n',
  'framing in a trailer':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n',
  'a head without end': `HTTP/1.1 200 OK\r\n${'X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n'.repeat(3000)}`,
  'too many fields': `HTTP/1.1 200 OK\r\n${'X: a\r\n'.repeat(300)}\r\n`,
  'bytes after its end': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n',
  'content after HEAD': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody',
};

for (const [name, text] of Object.entries(BAD)) {
  test(`a reply with ${name} is refused however it is cut`, () => {
    const bytes = Buffer.from(text, 'latin1');
    const step = bytes.length > 5000 ? 997 : 1;
    for (let cut = 0; cut <= bytes.length; cut += step) {
      const sink = collect();
      const parser = new ReplyParser(sink, STRICT_RULES);
      parser.begin('GET', false);
      assert.throws(
        () => {
          parser.push(bytes.subarray(0, cut));
          parser.push(bytes.subarray(cut));
        },
        { name: 'Refusal' },
        `cut at ${cut}`,
      );
      assert.equal(parser.isReusable, false);
    }
  });
}

test('a reply that ends too early is not complete', () => {
  for (const text of [
    '',
    'HTTP/1.1 200 OK\r\nContent-Le',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  ]) {
    const parser = new ReplyParser(collect(), STRICT_RULES);
    parser.begin('GET', false);
    parser.push(Buffer.from(text));
    assert.equal(parser.finish(), false);
  }
});

test('bytes before any request are refused', () => {
  const parser = new ReplyParser(collect(), STRICT_RULES);
  assert.throws(() => parser.push(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')), /belong to no reply/);
});
