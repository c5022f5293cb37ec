import assert from 'node:assert/strict';
import { once } from 'node:events';
import { openSync, truncateSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RequestEvent } from '../../../../src/core/http/server-types.js';
import { tempDir } from '../../../helpers/temp-dir.js';
import { start } from './raw.js';

async function session(t: TestContext, bytes: number, options = {}): Promise<ClientHttp2Session> {
  const body = Buffer.alloc(bytes, 'x');
  const { port } = await start(t, () => ({ status: 200, headers: [], body }), { http2: 'prior-knowledge' });
  const client = connect(`http://127.0.0.1:${port}`, options);
  t.after(() => client.destroy());
  await once(client, 'remoteSettings');
  return client;
}

/** The length of an answer. */
async function fetchLength(client: ClientHttp2Session, path: string): Promise<number> {
  let length = 0;
  for await (const chunk of client.request({ ':path': path })) length += (chunk as Buffer).length;
  return length;
}

test('HTTP/2: answers that wait for their clients keep no other request from being answered', async (t) => {
  const client = await session(t, 1_000_000, { settings: { initialWindowSize: 10 } });
  const heads = Array.from({ length: 50 }, () => once(client.request({ ':path': '/held' }), 'response'));
  await Promise.all(heads);
  const [head] = await once(client.request({ ':path': '/one-more' }), 'response');
  assert.equal(head[':status'], 200);
});

test('HTTP/2: a client that always has as many requests under way as browsers do gets all answers', async (t) => {
  const client = await session(t, 100_000);
  const lengths: number[] = [];
  const asking = Array.from({ length: 256 }, async (_, lane) => {
    for (let turn = 0; turn < 4; turn += 1) lengths.push(await fetchLength(client, `/${lane}/${turn}`));
  });
  await Promise.all(asking);
  assert.equal(lengths.length, 1024);
  assert.ok(lengths.every((length) => length === 100_000));
});

test('HTTP/2: a file that is cut while it is sent is told, and does not look whole', {
  timeout: 20_000,
}, async (t) => {
  const length = 2_000_000;
  const file = join(tempDir(t, { cut: Buffer.alloc(length, 'x') }), 'cut');
  const told = Promise.withResolvers<RequestEvent>();
  const answer = () => ({ status: 200, headers: [], body: { fd: openSync(file, 'r'), offset: 0, length } });
  const { port } = await start(t, answer, {
    http2: 'prior-knowledge',
    failuresOnly: true,
    onEvent: (event) => event.type === 'request' && told.resolve(event),
  });
  const client = connect(`http://127.0.0.1:${port}`);
  t.after(() => client.destroy());
  const stream = client.request({ ':path': '/' });
  await once(stream, 'response');
  truncateSync(file, 1000);
  stream.resume();
  await assert.rejects(once(stream, 'end'), /NGHTTP2_PROTOCOL_ERROR/);
  const { aborted, error } = await told.promise;
  assert.deepEqual({ aborted, error }, { aborted: true, error: 'the file is shorter than it was' });
});
