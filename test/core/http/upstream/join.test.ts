import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Joints, joinUpgrade } from '../../../../src/core/http/upstream/join.js';
import type { UpstreamReply } from '../../../../src/core/http/upstream/types.js';

/** Both ends of a connection, neither of which ends its side because the other does. */
async function openPair(t: TestContext): Promise<[near: Socket, far: Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  const [near] = (await once(server, 'connection')) as [Socket];
  t.after(() => {
    server.close();
    far.destroy();
    near.destroy();
  });
  return [near, far];
}

async function join(t: TestContext, protocol: string, closingMs: number) {
  const [client, farClient] = await openPair(t);
  const [socket, upstream] = await openPair(t);
  const head = { headers: [['Upgrade', protocol]] } as unknown as UpstreamReply['head'];
  const reply = { head, upgraded: { socket, rest: Buffer.alloc(0) } } as unknown as UpstreamReply;
  const joined = joinUpgrade(reply, client, Buffer.alloc(0), new Joints(), closingMs);
  await once(farClient, 'data');
  return { joined, client: farClient, upstream };
}

for (const who of ['client', 'upstream'] as const) {
  test(`a WebSocket whose ${who} has left is over, though the other end stays`, async (t) => {
    const { joined, [who]: leaver } = await join(t, 'websocket', 20);
    leaver.end();
    await joined;
  });
}

test('in other protocols the end of one side leaves the other its time', async (t) => {
  const { joined, client, upstream } = await join(t, 'tcp', 0);
  upstream.resume();
  client.end('all I have to say');
  await once(upstream, 'end');
  await new Promise(setImmediate);
  upstream.end('the answer');
  const [answer] = await once(client, 'data');
  assert.equal(String(answer), 'the answer');
  await joined;
});
