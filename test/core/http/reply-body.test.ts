import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { send } from '../../../src/core/http/client.js';
import { listen, startStub } from '../../helpers/stub-server.js';

const CONTENT = randomBytes(6 * 2 ** 20);
const OPTIONS = { connectTimeoutMs: 5000, idleTimeoutMs: 2000 };
const { signal } = new AbortController();

async function start(t: TestContext, chunked: boolean): Promise<URL> {
  const server = createServer((_req, res) => {
    if (!chunked) res.setHeader('Content-Length', CONTENT.length);
    for (let at = 0; at < CONTENT.length; at += 100_003) res.write(CONTENT.subarray(at, at + 100_003));
    res.end();
  });
  return new URL(`http://127.0.0.1:${await listen(t, server)}/`);
}

for (const chunked of [false, true]) {
  for (const pace of ['at once', 'now and then', 'always slow'] as const) {
    test(`lent bytes are whole at a sink that takes them ${pace}, ${chunked ? 'in chunks' : 'with a length'}`, async (t) => {
      const url = await start(t, chunked);
      const response = await send({ method: 'GET', url, headers: [], signal }, OPTIONS);
      const hash = createHash('sha256');
      let count = 0;
      await response.body.drain((bytes) => {
        count += 1;
        const isSlow = pace === 'always slow' || (pace === 'now and then' && count % 7 === 0);
        if (!isSlow) {
          hash.update(bytes);
          return undefined;
        }
        // Looked at late: whoever overwrites what is lent is found out.
        return new Promise((done) => {
          setTimeout(() => {
            hash.update(bytes);
            done();
          }, 1);
        });
      });
      assert.equal(hash.digest('hex'), createHash('sha256').update(CONTENT).digest('hex'));
      assert.equal(response.wireSizeBytes, CONTENT.length);
    });
  }
}

test('what arrived before the body broke off reaches the sink, then the failure is told', async (t) => {
  const { url } = await startStub(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    setTimeout(() => socket.end('def'), 20);
  });
  const response = await send({ method: 'GET', url: new URL(url), headers: [], signal }, OPTIONS);
  let text = '';
  const slow = (bytes: Buffer): Promise<void> =>
    new Promise((done) => {
      setTimeout(() => {
        text += bytes.toString();
        done();
      }, 30);
    });
  await assert.rejects(response.body.drain(slow), { code: 'TRUNCATED', message: /6 of 10 bytes/ });
  assert.equal(text, 'abcdef');
});

test('a sink that fails ends the transfer with its error', async (t) => {
  const url = await start(t, false);
  const response = await send({ method: 'GET', url, headers: [], signal }, OPTIONS);
  await assert.rejects(
    response.body.drain(() => {
      throw new Error('disk full');
    }),
    /disk full/,
  );
  const second = await send({ method: 'GET', url, headers: [], signal }, OPTIONS);
  await assert.rejects(
    second.body.drain(() => Promise.reject(new Error('later'))),
    /later/,
  );
});
