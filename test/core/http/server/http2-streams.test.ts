import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type TestContext, test } from 'node:test';
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
