import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { collect, decodeText, getCharset, getMediaType, isJsonType } from '../../../src/core/http/body.js';

test('a stream is collected up to its limit and not beyond', async () => {
  const stream = (): Readable => Readable.from([Buffer.from('abc'), Buffer.from('de')]);
  assert.equal((await collect(stream(), 5)).toString(), 'abcde');
  const source = stream();
  await assert.rejects(collect(source, 4), { code: 'TOO_LARGE' });
  assert.equal(source.destroyed, true);
});

test('media types and charsets are read from Content-Type', () => {
  const of = (value: string): readonly [readonly [string, string]] => [['content-TYPE', value]];
  assert.equal(getMediaType(of('Text/HTML; charset=utf-8')), 'text/html');
  assert.equal(getMediaType([]), '');
  assert.equal(getCharset(of('text/html;charset="ISO-8859-1"')), 'ISO-8859-1');
  assert.equal(getCharset(of('text/html; Charset=utf-8; x=y')), 'utf-8');
  assert.equal(getCharset(of('text/html')), undefined);
  assert.deepEqual(
    ['application/json', 'text/json', 'application/problem+json', 'application/x-ndjson', 'text/html'].map(
      isJsonType,
    ),
    [true, true, true, false, false],
  );
});

test('text is decoded by its charset, and what is not text is told apart', () => {
  assert.equal(decodeText(Buffer.from('é')), 'é');
  assert.equal(decodeText(Buffer.from([0xe9]), 'latin1'), 'é');
  assert.equal(decodeText(Buffer.from('é'), 'no-such-charset'), 'é');
  assert.equal(decodeText(Buffer.from([0xe9])), undefined);
  assert.equal(decodeText(Buffer.from('a\0b')), undefined);
  assert.equal(decodeText(Buffer.from('\ufeffa')), '\ufeffa');
});
