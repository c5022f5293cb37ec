import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encodeFrames,
  FrameReader,
  type IncomingFrame,
} from '../../../../src/core/handlers/python/frames.js';
import { cleanPrefix, splitMount } from '../../../../src/core/handlers/python/mount.js';
import { isPythonTarget } from '../../../../src/core/handlers/python/target.js';

const frame = fc.record(
  {
    kind: fc.integer({ min: 1, max: 255 }),
    id: fc.integer({ min: 0, max: 0xffff_ffff }),
    flags: fc.integer({ min: 0, max: 255 }),
    number: fc.integer({ min: 0, max: 0xffff_ffff }),
    head: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  },
  { noNullPrototype: true },
);

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 })),
      (frames, cuts) => {
        const bytes = encodeFrames(frames);
        const reader = new FrameReader();
        const found: IncomingFrame[] = [];
        let at = 0;
        for (let turn = 0; at < bytes.length; turn++) {
          const end = at + (cuts[turn % cuts.length] ?? bytes.length);
          reader.feed(bytes.subarray(at, end), (one) => found.push({ ...one, body: Buffer.from(one.body) }));
          at = end;
        }
        assert.deepEqual(found, frames);
      },
    ),
  );
});

test('a mount is cut off on a segment border, however the path was written', () => {
  assert.equal(cleanPrefix('/api/'), '/api');
  assert.equal(cleanPrefix('/'), '');
  assert.equal(cleanPrefix(undefined), '');
  assert.deepEqual(splitMount('/api', '/api/x%20y', '/api/x y'), { prefix: '/api', rest: '/x%20y' });
  assert.deepEqual(splitMount('/api', '/api', '/api'), { prefix: '/api', rest: '' });
  assert.deepEqual(splitMount('/api', '/a/../api/x', '/api/x'), { prefix: '/api', rest: '/x' });
  assert.deepEqual(splitMount('/api', '/%61pi/50%25', '/api/50%'), { prefix: '/api', rest: '/50%25' });
  assert.deepEqual(splitMount('', '//x', '/x'), { prefix: '', rest: '//x' });
});

test('a Python target is known by its look, and nothing else is', () => {
  for (const target of [
    'app.py',
    'a/b.py:app',
    'app:app',
    'pkg.mod:create_app("x")',
    'shop.wsgi:application',
    'shop.wsgi',
    '/srv/a b/shop.wsgi',
  ]) {
    assert.ok(isPythonTarget(target), target);
  }
  for (const target of [
    '.',
    'folder',
    'app.ts',
    'http://x',
    'localhost:3000',
    ':3000',
    'https://x/y:z',
    'a/b:c',
    'shop.web',
    'wsgi',
  ]) {
    assert.ok(!isPythonTarget(target), target);
  }
});
