import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocketEnd } from '../../../../src/core/http/upstream/websocket-end.js';

/** A frame as servers send it, its length in 7, 16 or 64 bits (RFC 6455, section 5.2). */
function frame(size: number): Buffer {
  const header = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10);
  header[0] = 0x82;
  header[1] = size < 126 ? size : size < 65_536 ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(size, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(size), 2);
  return Buffer.concat([header, Buffer.alloc(size, 0x5a)]);
}

/** Frames of every kind of length, and where each one ends. */
function makeFrames(): { bytes: Buffer; ends: number[] } {
  const frames = [0, 1, 125, 126, 300, 65_535, 65_536, 3].map(frame);
  const ends: number[] = [];
  for (const { length } of frames) ends.push((ends.at(-1) ?? 0) + length);
  return { bytes: Buffer.concat(frames), ends };
}

const { bytes, ends } = makeFrames();
const CLOSE = Buffer.from('\x88\x11\x03\xf4service restart', 'latin1');

/** What comes out when the bytes arrive in these pieces, and it is told to end after the first of them. */
function cut(pieces: readonly Buffer[]): Buffer {
  const stream = new WebSocketEnd({ highWaterMark: 1_000_000 });
  for (const [index, piece] of pieces.entries()) {
    stream.write(piece);
    if (index === 0) stream.retire();
  }
  const out: Buffer[] = [];
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) out.push(chunk);
  return Buffer.concat(out);
}

test('what passes is whole frames and our close, wherever it was when it was told to end', () => {
  const near = ends.flatMap((end) => [-9, -2, -1, 0, 1, 2, 3, 5, 11].map((shift) => end + shift));
  for (const at of near.filter((place) => place >= 0 && place <= bytes.length)) {
    const boundary = [0, ...ends].find((end) => end >= at) as number;
    const expected = Buffer.concat([bytes.subarray(0, boundary), CLOSE]);
    const rest = bytes.subarray(at);
    assert.ok(cut([bytes.subarray(0, at), rest]).equals(expected), `told after ${at} bytes`);
    const small = [rest.subarray(0, 1), rest.subarray(1, 3), rest.subarray(3)];
    assert.ok(cut([bytes.subarray(0, at), ...small]).equals(expected), `in pieces after ${at} bytes`);
  }
});

test('it is told once', () => {
  const stream = new WebSocketEnd();
  stream.retire();
  stream.retire();
  stream.write(frame(1));
  assert.ok(CLOSE.equals(stream.read()));
});
