import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { IncomingRequest } from '../../../../src/core/http/messages.js';
import { tempDir } from '../../../helpers/temp-dir.js';
import { exchange, start, text } from './raw.js';

const TOLD = 'X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n';
const GET = `GET /x HTTP/1.1\r\nHost: a\r\n${TOLD}Connection: close\r\n\r\n`;
const who = ({ remoteAddress, remotePort, peerAddress, scheme }: IncomingRequest) =>
  text(`client=${remoteAddress} port=${remotePort > 0} peer=${peerAddress} scheme=${scheme}`);

test('what a trusted peer says of its client holds for handlers and for the log', async (t) => {
  const { port, events } = await start(t, who, { trustProxy: ['127.0.0.1'] });
  assert.match(await exchange(port, GET), /client=192\.0\.2\.1 port=false peer=127\.0\.0\.1 scheme=https$/);
  const [request] = events.filter(({ type }) => type === 'request') as Array<{ remoteAddress: string }>;
  assert.equal(request?.remoteAddress, '192.0.2.1');
});

test('what anybody else says of itself does not', async (t) => {
  for (const options of [{}, { trustProxy: ['10.0.0.0/8', 'unix'] }]) {
    const { port } = await start(t, who, options);
    assert.match(await exchange(port, GET), /client=127\.0\.0\.1 port=true peer=127\.0\.0\.1 scheme=http$/);
  }
});

test('a client that has reset before it was accepted, and so has no address, is taken for no Unix socket', async (t) => {
  const seen = Promise.withResolvers<IncomingRequest>();
  const remember = (request: IncomingRequest) => {
    seen.resolve(request);
    return who(request);
  };
  const { port } = await start(t, remember, { trustProxy: ['unix'] });
  const head = JSON.stringify(GET.replace('close', 'keep-alive'));
  const code = `const s = require('net').connect(${port}, '127.0.0.1', () => s.write(${head}, () => s.resetAndDestroy()))`;
  // This process, and so its server, stands still until the client has gone.
  spawnSync(process.execPath, ['-e', code]);
  const { remoteAddress, peerAddress } = await seen.promise;
  assert.deepEqual([remoteAddress, peerAddress], ['0.0.0.0', '0.0.0.0']);
});

test('it holds for HTTP/2, too', async (t) => {
  const { port } = await start(t, who, { trustProxy: ['127.0.0.1'], http2: 'prior-knowledge' });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  t.after(() => session.close());
  const stream = session.request({
    ':path': '/',
    'x-forwarded-for': '192.0.2.1',
    'x-forwarded-proto': 'https',
  });
  stream.setEncoding('utf8');
  const [body] = await once(stream, 'data');
  assert.equal(body, 'client=192.0.2.1 port=false peer=127.0.0.1 scheme=https');
});

test('who comes by a Unix socket has no address, and is trusted by name', async (t) => {
  const ask = async (trustProxy: string[]): Promise<string> => {
    const path = join(tempDir(t), 'socket');
    await start(t, who, { listen: [{ path }], trustProxy });
    const socket = connect(path).setEncoding('utf8');
    socket.write(GET);
    let answer = '';
    for await (const piece of socket) answer += piece;
    return answer;
  };
  assert.match(await ask(['unix']), /client=192\.0\.2\.1 port=false peer= scheme=https$/);
  assert.match(await ask(['127.0.0.1', '0.0.0.0/0']), /client= port=false peer= scheme=http$/);
});
