import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDecoder } from '../../../../src/core/http/server/decode-body.js';
import { DEFAULT_LIMITS } from '../../../../src/core/http/server/limits.js';
import { CHUNKED, type Head, parseHead } from '../../../../src/core/http/server/parse-head.js';
import { parseProxyHeader } from '../../../../src/core/http/server/proxy-protocol.js';
import { Refusal } from '../../../../src/core/http/server/status.js';
import { fuzz } from '../../../fuzz/differential.js';
import { createRandom, makeInput } from '../../../fuzz/grammar.js';

const BODY_LIMITS = { maxBodyBytes: 1e9, maxHeaderBytes: 16_384, maxFields: 100 };

function parse(text: string): Head {
  const head = parseHead(text, 0, DEFAULT_LIMITS);
  assert.ok(head !== undefined && !(head instanceof Refusal), String(head));
  return head;
}

/** The same bytes, a few more each time: what a connection sees. */
function parseGrowing(text: string): Head | Refusal | undefined {
  for (let length = 0; length <= text.length; length += 1) {
    const result = parseHead(text.slice(0, length), 0, DEFAULT_LIMITS);
    if (result !== undefined) return result;
  }
  return undefined;
}

test('a head is read as it was sent: names, values, order and repetition', () => {
  const head = parse(
    '\r\nPOST /a%20b?c HTTP/1.1\r\nhost: a\r\nX-A:1\r\nx-a: \t 2 \t\r\nEmpty:\r\nContent-Length: 3\r\nObs: \xe9\r\n\r\nabc',
  );
  assert.equal(head.method, 'POST');
  assert.equal(head.target, '/a%20b?c');
  assert.equal(head.version, '1.1');
  assert.equal(head.length, 3);
  assert.equal(head.keepAlive, true);
  assert.deepEqual(head.fields.headers, [
    ['host', 'a'],
    ['X-A', '1'],
    ['x-a', '2'],
    ['Empty', ''],
    ['Content-Length', '3'],
    ['Obs', '\xe9'],
  ]);
});

test('the forms of a target that are allowed', () => {
  for (const line of [
    'GET / ',
    'GET //x ',
    'OPTIONS * ',
    'GET http://a:80/x?y ',
    'GET HTTPS://[::1]/ ',
    'GET http://a?x ',
  ]) {
    parse(`${line}HTTP/1.1\r\nHost: a\r\n\r\n`);
  }
});

test('the Hosts that are allowed', () => {
  for (const host of ['a', 'a.b:80', '127.0.0.1', '[::1]:8000', 'a_b', 'xn--a', 'a:', '%41', 'A-b.']) {
    parse(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  }
  assert.equal(parse('GET / HTTP/1.0\r\n\r\n').keepAlive, false);
});

test('fields that are repeated on a connection are not parsed again, and others are', () => {
  const first = parse('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const again = parseHead('GET /b HTTP/1.1\r\nHost: a\r\n\r\n', 0, DEFAULT_LIMITS, first.fields);
  assert.ok(again !== undefined && !(again instanceof Refusal));
  assert.equal(again.fields, first.fields);
  assert.equal(again.target, '/b');
  for (const other of ['Host: b\r\n', 'Host: a\r\nX: y\r\n', 'Host: a \r\n']) {
    const head = parseHead(`GET / HTTP/1.1\r\n${other}\r\n`, 0, DEFAULT_LIMITS, first.fields);
    assert.ok(head !== undefined && !(head instanceof Refusal) && head.fields !== first.fields);
  }
  const longer = parseHead('GET / HTTP/1.1\r\nHost: a\r\n\r', 0, DEFAULT_LIMITS, first.fields);
  assert.equal(longer, undefined);
});

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}$/);
const value = fc.stringMatching(
  /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?)?$/,
);
const special = /^(?:host|content-length|transfer-encoding|connection|expect|upgrade)$/i;

test('property: what is accepted is what was meant, whole or byte by byte', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('GET', 'POST', 'PUT', 'QUERY'),
      fc.stringMatching(/^\/[!"$-~]{0,30}$/),
      fc.array(fc.tuple(token, value), { maxLength: 20 }),
      (method, target, fields) => {
        const headers = [['Host', 'a'], ...fields.filter(([name]) => !special.test(name))];
        const lines = headers.map(([name, text]) => `${name}: ${text}\r\n`).join('');
        const text = `${method} ${target} HTTP/1.1\r\n${lines}\r\n`;
        const head = parse(text);
        assert.deepEqual([head.method, head.target, head.fields.headers], [method, target, headers]);
        assert.deepEqual(parseGrowing(text), head);
      },
    ),
  );
});

test('property: nothing makes the parser throw, and bytes that come later change no verdict but "more"', () => {
  const random = createRandom(1);
  const near = fc.integer({ min: 0, max: 1e9 }).map(() => makeInput(random));
  fc.assert(
    fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
      const latin1 = Buffer.from(text, 'latin1').toString('latin1');
      const whole = parseHead(latin1, 0, DEFAULT_LIMITS);
      const growing = parseGrowing(latin1);
      if (growing instanceof Refusal) assert.ok(whole instanceof Refusal, JSON.stringify(latin1));
      else assert.deepEqual(growing, whole);
    }),
    { numRuns: 2000 },
  );
});

/** What a decoder makes of some bytes, cut at those places. */
function decode(text: string, cuts: readonly number[]): unknown {
  const decoder = createDecoder(CHUNKED, BODY_LIMITS);
  const bytes = Buffer.from(text, 'latin1');
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
  let body = '';
  let used = 0;
  try {
    for (let index = 1; index < places.length && !decoder.done; index += 1) {
      used += decoder.feed(bytes.subarray(places[index - 1], places[index]), (content) => {
        body += content.toString('latin1');
      });
    }
  } catch (error) {
    assert.ok(error instanceof Refusal);
    return error.status;
  }
  return { body, used, done: decoder.done, trailers: decoder.trailers };
}

const CHUNKED_BODIES = [
  '0\r\n\r\nrest',
  '3\r\nabc\r\n0\r\n\r\nrest',
  'a;x;y=z;q="a;b\\""\r\n0123456789\r\n00\r\nT: u\r\nV: w\r\n\r\nrest',
  '3\r\nabc\r\n0\r\nHost: x\r\n\r\n',
  '3\nabc\r\n0\r\n\r\n',
  '3\r\nabcd\r\n',
  '3;\x01\r\nabc\r\n',
  '0\r\nT : u\r\n\r\n',
  '0\r\nT: u\n\r\n\r\n',
];

test('a body in chunks reads the same, cut at any byte and any two', () => {
  for (const text of CHUNKED_BODIES) {
    const whole = decode(text, []);
    for (let first = 0; first <= text.length; first += 1) {
      assert.deepEqual(decode(text, [first]), whole, `${JSON.stringify(text)} cut at ${first}`);
      for (let second = first; second <= text.length; second += 3)
        assert.deepEqual(decode(text, [first, second]), whole);
    }
  }
});

test('property: content in chunks of any size comes out as it went in, however it is cut', () => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 10 });
  fc.assert(
    fc.property(chunks, fc.array(fc.nat(1000), { maxLength: 10 }), (pieces, cuts) => {
      const texts = pieces.map((piece) => Buffer.from(piece).toString('latin1'));
      const text = `${texts.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`;
      assert.deepEqual(decode(text, cuts), {
        body: texts.join(''),
        used: text.length,
        done: true,
        trailers: [],
      });
    }),
  );
});

test('property: no PROXY header makes its parser throw', () => {
  const start = fc.constantFrom('', 'PROXY ', 'PROXY TCP4 ', '\r\n\r\n\0\r\nQUIT\n!\x11');
  fc.assert(
    fc.property(start, fc.string({ unit: 'binary' }), (begin, rest) => {
      parseProxyHeader(Buffer.from(begin + rest, 'latin1'));
    }),
  );
});

test('beside node’s own parser the engine only ever refuses more, each time for a reason that is written down', async () => {
  const random = createRandom(2026);
  const inputs = Array.from({ length: 5000 }, () => makeInput(random));
  await fuzz(inputs, (input, problem) => assert.fail(`${problem}: ${JSON.stringify(input)}`));
});
