import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeEnd,
  encodePairs,
  encodeRequest,
  encodeStream,
  PARAMS,
  RecordParser,
  type RecordSink,
  STDIN,
} from '../../../../src/core/handlers/fastcgi/records.js';

function record(type: number, content: string, padding = 0, id = 1): Buffer {
  const body = Buffer.from(content, 'latin1');
  const header = Buffer.from([1, type, id >> 8, id & 0xff, body.length >> 8, body.length & 0xff, padding, 0]);
  return Buffer.concat([header, body, Buffer.alloc(padding)]);
}

function collect(): RecordSink & { out: string; err: string; end: number | undefined } {
  return {
    out: '',
    err: '',
    end: undefined,
    onStdout(bytes) {
      this.out += bytes.toString('latin1');
    },
    onStderr(bytes) {
      this.err += bytes.toString('latin1');
    },
    onEnd(status) {
      this.end = status;
    },
  };
}

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

test('a request asks for a responder on a connection that stays, and ends both its streams', () => {
  assert.deepEqual(
    [...bytesOf(encodeRequest(encodePairs({ A: 'b' }), false))],
    [
      ...[1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
      ...[1, 4, 0, 1, 0, 4, 0, 0, 1, 1, 0x41, 0x62],
      ...[1, 4, 0, 1, 0, 0, 0, 0],
      ...[1, 5, 0, 1, 0, 0, 0, 0],
    ],
  );
});

test('with a body, its stream is left open', () => {
  assert.deepEqual(
    [...bytesOf(encodeRequest(encodePairs({ A: 'b' }), true)).subarray(-8)],
    [1, 4, 0, 1, 0, 0, 0, 0],
  );
});

test('lengths below 128 take one byte, others four', () => {
  const long = 'v'.repeat(300);
  const bytes = bytesOf(encodeRequest(encodePairs({ LONG: long }), false)).subarray(24);
  assert.deepEqual([...bytes.subarray(0, 5)], [4, 0x80, 0, 1, 44]);
  assert.equal(bytes.toString('latin1', 5, 309), `LONG${long}`);
});

test('values keep bytes above ASCII', () => {
  const bytes = bytesOf(encodeRequest(encodePairs({ A: '\xe9\xff' }), false)).subarray(24);
  assert.deepEqual([...bytes.subarray(0, 5)], [1, 2, 0x41, 0xe9, 0xff]);
});

test('variables of more than a record are cut into several', () => {
  const bytes = bytesOf(encodeRequest(encodePairs({ A: 'v'.repeat(70_000) }), false));
  assert.deepEqual([...bytes.subarray(16, 24)], [1, 4, 0, 1, 0xff, 0xf8, 0, 0]);
  assert.deepEqual([...bytes.subarray(24 + 65_528, 24 + 65_536)], [1, 4, 0, 1, 0x11, 0x7e, 0, 0]);
});

test('a stream is cut into records that need no padding, and ended by an empty one', () => {
  const pieces = encodeStream(STDIN, Buffer.alloc(70_000));
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [8, 65_528, 8, 4472],
  );
  assert.deepEqual([...encodeEnd(PARAMS)], [1, 4, 0, 1, 0, 0, 0, 0]);
});

test('records are read wherever the network cuts them', () => {
  const bytes = Buffer.concat([
    record(6, 'Status: 200\r\n', 3),
    record(7, 'PHP message', 5),
    record(6, '\r\nbody', 2),
    record(6, ''),
    record(3, '\0\0\0\0\0\0\0\0'),
  ]);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const sink = collect();
    const parser = new RecordParser();
    parser.push(bytes.subarray(0, cut), sink);
    parser.push(bytes.subarray(cut), sink);
    assert.equal(sink.out, 'Status: 200\r\n\r\nbody');
    assert.equal(sink.err, 'PHP message');
    assert.equal(sink.end, 0);
  }
  const slow = collect();
  const parser = new RecordParser();
  for (const byte of bytes) parser.push(Buffer.from([byte]), slow);
  assert.equal(slow.end, 0);
});

test('what is no FastCGI, of another request or of an unexpected type is refused', () => {
  for (const bytes of [
    Buffer.from('HTTP/1.1 200 OK\r\n\r\n'),
    record(6, 'x', 0, 2),
    record(4, 'x'),
    record(3, 'short'),
    record(11, ''),
  ]) {
    assert.throws(() => new RecordParser().push(bytes, collect()), /FastCGI/);
  }
});
