import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { NettoolError } from '../../../src/core/errors.js';
import { collect } from '../../../src/core/http/body.js';
import { decodeBody } from '../../../src/core/http/decoding.js';

const TEXT = Buffer.from(Array.from({ length: 3000 }, (_, index) => `line ${index * 7919}\n`).join(''));

const CODERS = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  deflate: deflateSync,
  'deflate without its header': deflateRawSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
} as const;

/** In small pieces, as a network brings them. */
function toBody(bytes: Buffer, pieceSize = 7): Readable {
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceSize) }, (_, index) =>
    bytes.subarray(index * pieceSize, (index + 1) * pieceSize),
  );
  return Readable.from(pieces, { objectMode: false });
}

const decode = async (bytes: Buffer, ...codings: string[]): Promise<Buffer> =>
  collect(
    decodeBody(
      toBody(bytes),
      codings.map((coding) => ['Content-Encoding', coding] as const),
    ),
    2 ** 30,
  );

for (const [name, compress] of Object.entries(CODERS)) {
  const coding = name.split(' ', 1)[0] as string;
  const whole = compress(TEXT);

  test(`${name} is decoded`, async () => {
    assert.deepEqual(await decode(whole, coding), TEXT);
  });

  test(`${name} that stops early is TRUNCATED, wherever it stops`, async () => {
    for (const length of [1, 2, 5, whole.length >> 1, whole.length - 5, whole.length - 1]) {
      await assert.rejects(
        decode(whole.subarray(0, length), coding),
        { code: 'TRUNCATED' },
        `${length} bytes`,
      );
    }
  });

  test(`what is not ${name} is BAD_ENCODING`, async () => {
    await assert.rejects(decode(Buffer.from('<html>plain text, mislabelled</html>'), coding), {
      code: 'BAD_ENCODING',
    });
  });
}

test('layers are taken off in the reverse of their order, over several fields', async () => {
  const twice = brotliCompressSync(gzipSync(TEXT));
  assert.deepEqual(await decode(twice, 'gzip, br'), TEXT);
  assert.deepEqual(await decode(twice, 'GZIP', 'identity', 'Br'), TEXT);
  const rawInside = zstdCompressSync(deflateRawSync(TEXT));
  assert.deepEqual(await decode(rawInside, 'deflate', 'zstd'), TEXT);
});

test('five layers are decoded, a sixth is refused', async () => {
  let bytes = TEXT;
  for (let layer = 0; layer < 5; layer += 1) bytes = gzipSync(bytes);
  assert.deepEqual(await decode(bytes, 'gzip, gzip, gzip, gzip, gzip'), TEXT);
  await assert.rejects(decode(gzipSync(bytes), 'gzip, gzip, gzip', 'gzip, gzip, gzip'), {
    code: 'BAD_ENCODING',
  });
});

test('a coding nobody knows is refused with a way out', async () => {
  await assert.rejects(decode(TEXT, 'lzw'), { code: 'BAD_ENCODING', hint: /--raw/ });
  await assert.rejects(decode(TEXT, '__proto__'), { code: 'BAD_ENCODING' });
});

test('no coding and an empty body pass through', async () => {
  const body = toBody(TEXT);
  assert.equal(decodeBody(body, []), body);
  assert.equal((await decode(Buffer.alloc(0), 'gzip')).length, 0);
});

test("a source's own failure comes through the decoders as it is", async () => {
  const half = gzipSync(TEXT).subarray(0, 200);
  const broken = Readable.from(
    (async function* () {
      yield half;
      throw new NettoolError('TIMEOUT', 'the transfer stood still for 60 s');
    })(),
    { objectMode: false },
  );
  await assert.rejects(collect(decodeBody(broken, [['Content-Encoding', 'gzip']]), 2 ** 30), {
    code: 'TIMEOUT',
  });
});

test('a bomb is decoded no faster than it is read', async () => {
  const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20));
  const body = decodeBody(toBody(bomb, 2 ** 16), [['Content-Encoding', 'gzip']]);
  const before = process.memoryUsage().rss;
  for await (const chunk of body) {
    assert.ok(chunk.length > 0);
    await new Promise((done) => setTimeout(done, 50));
    break;
  }
  assert.ok(process.memoryUsage().rss - before < 60 * 2 ** 20);
});
