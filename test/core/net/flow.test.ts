import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { limitRate, type Sink, toCrlf, toStream, transfer } from '../../../src/core/net/flow.js';

/** Collects what it gets, slowly. */
function slowSink(pieces: string[], ms = 5): Sink {
  return async (bytes) => {
    const copy = bytes.toString();
    await new Promise((resolve) => setTimeout(resolve, ms));
    pieces.push(copy);
  };
}

test('transfer waits for the sink before it takes more, and for its last piece before it says it is over', async () => {
  const pieces: string[] = [];
  const source = new PassThrough();
  const done = transfer(source, slowSink(pieces, 20));
  for (const text of ['a', 'b', 'c']) source.write(text);
  source.end('d');
  await done;
  assert.equal(pieces.join(''), 'abcd');
});

test('transfer rejects with the error of its source, of its sink, and when the source ends early', async () => {
  const broken = new PassThrough();
  const failed = transfer(broken, () => undefined);
  broken.destroy(new Error('broken'));
  await assert.rejects(failed, /broken/);
  const cut = new PassThrough();
  const early = transfer(cut, () => undefined);
  cut.destroy();
  await assert.rejects(early, /the connection has ended/);
  await assert.rejects(
    transfer(Readable.from([Buffer.from('x')]), () => Promise.reject(new Error('full'))),
    /full/,
  );
});

test('transfer lets go of its source when it is told to', async () => {
  const source = new PassThrough();
  const stop = new AbortController();
  const done = transfer(source, () => undefined, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(done, /enough/);
  assert.equal(source.isPaused(), true);
  assert.equal(source.listenerCount('data'), 0);
});

test('a stream that may keep what it is given gets a copy, since the memory is used again', async () => {
  const stream = new PassThrough();
  const memory = Buffer.from('first');
  await toStream(stream)(memory);
  memory.write('other');
  assert.equal(String(stream.read()), 'first');
});

test('writing to a stream that is gone rejects', async () => {
  const stream = new PassThrough();
  stream.end();
  await assert.rejects(async () => toStream(stream)(Buffer.from('x')), /the connection has ended/);
});

test('CRLF: every LF gets its CR wherever the pieces are cut', async () => {
  const text = 'a\nb\r\n\n\r\r\n\nc\r';
  const expected = 'a\r\nb\r\n\r\n\r\r\n\r\nc\r';
  for (let cut = 0; cut <= text.length; cut += 1) {
    const pieces: string[] = [];
    const sink = toCrlf((bytes) => void pieces.push(bytes.toString()));
    sink(Buffer.from(text.slice(0, cut)));
    sink(Buffer.from(text.slice(cut)));
    assert.equal(pieces.join(''), expected, `cut at ${cut}`);
  }
});

test('a limited rate is kept over many pieces, however large they are', async () => {
  let size = 0;
  const sink = limitRate((bytes) => {
    size += bytes.length;
    return undefined;
  }, 1_000_000);
  const startedAt = performance.now();
  for (let count = 0; count < 3; count += 1) await sink(Buffer.alloc(100_000));
  const tookMs = performance.now() - startedAt;
  assert.equal(size, 300_000);
  assert.ok(tookMs > 230 && tookMs < 600, `${tookMs} ms`);
});
