import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import { sendBody } from '../../../../src/core/http/upstream/request-body.js';

test('a reply that has come already is read before more of the body is written', async () => {
  const written: Buffer[] = [];
  const target = new Writable({
    write(chunk, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  let isWanted = true;
  setImmediate(() => {
    isWanted = false;
  });
  const body = { source: Readable.from([Buffer.from('a')]), length: 1 };
  assert.equal(
    await sendBody(
      target,
      body,
      () => isWanted,
      () => {},
    ),
    false,
  );
  assert.deepEqual(written, []);
});
