import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSelfSigned } from '../../src/core/net/self-signed.js';
import { needs } from '../helpers/programs.js';
import { run, start } from '../helpers/run.js';
import { startShell } from '../helpers/shell.js';
import { listenTcp, someBytes } from '../helpers/sockets.js';
import { tempDir } from '../helpers/temp-dir.js';

test('a self-signed server is told from a trusted one: 60, or trusted by --cacert, or unchecked by -k', async (t) => {
  const folder = tempDir(t);
  const identity = await createSelfSigned(['localhost']);
  writeFileSync(join(folder, 'cert.pem'), identity.cert);
  writeFileSync(join(folder, 'key.pem'), identity.key);
  const server = start(['tcp-server', '0', '--echo', '--tls', '--cert', 'cert.pem', '--key', 'key.pem'], {
    cwd: folder,
  });
  const { port, url, fingerprint } = await server.event('listening');
  assert.deepEqual([url, fingerprint], [`tls://127.0.0.1:${port}`, identity.fingerprint]);
  const args = ['tcp-client', 'localhost', String(port), '--tls', '--send', 'secret'];
  const refused = await run(args);
  assert.deepEqual([refused.code, refused.stdout], [60, '']);
  assert.match(refused.stderr, /the certificate of localhost:\d+ is not trusted: it is self-signed\nhint: /);
  const trusted = await run([...args, '--cacert', 'cert.pem'], { cwd: folder });
  assert.deepEqual([trusted.code, trusted.stdout, trusted.stderr], [0, 'secret', '']);
  assert.equal((await run([...args, '-k'])).stdout, 'secret');
  const otherName = await run([...args, '--cacert', 'cert.pem', '--sni', 'other.example'], { cwd: folder });
  assert.equal(otherName.code, 60);
  assert.match(otherName.stderr, /it is for localhost.*, not for other\.example\n/);
  await server.stop();
});

test('protocols of --alpn that the server does not speak are named', async () => {
  const server = start(['tcp-server', '0', '--echo', '--tls', '--alpn', 'irc']);
  const { port } = await server.event('listening');
  const client = ['tcp-client', 'localhost', String(port), '--send', 'x', '--tls', '-k'];
  const { code, stderr } = await run([...client, '--alpn', 'imap,managesieve']);
  assert.equal(code, 35);
  assert.match(stderr, /the server speaks none of imap, managesieve here/);
  await server.stop();
});

test('half-close is right over TLS too: a large answer after the end of the question', async () => {
  const server = start(['tcp-server', '0', '--exec', 'cat > /dev/null; head -c 3000000 /dev/zero', '--tls']);
  const { port } = await server.event('listening');
  const sent = someBytes(2_000_000);
  const { code, output } = await run(['tcp-client', '127.0.0.1', String(port), '--tls', '-k'], {
    stdin: sent,
  });
  assert.deepEqual([code, output.length], [0, 3_000_000]);
  const { bytesIn, bytesOut, reason } = await server.event('close');
  assert.deepEqual([bytesIn, bytesOut, reason], [2_000_000, 3_000_000, 'fin']);
  await server.stop();
});

test('-v shows protocol, cipher and chain; --alpn agrees on a protocol; --tls-min is kept to', async () => {
  const server = start(['tcp-server', '0', '--echo', '--tls', '--alpn', 'imap,smtp']);
  const { port } = await server.event('listening');
  const args = ['tcp-client', '127.0.0.1', String(port), '--tls', '-k', '--send', 'x'];
  const { stderr } = await run([...args, '-v', '--alpn', 'smtp', '--tls-min', '1.3']);
  assert.match(
    stderr,
    /connected \(TLSv1\.3, TLS_\w+, ALPN smtp\)\n {2}0 CN=127\.0\.0\.1\n.*issued by.*\n {4}SHA-256 [0-9A-F:]{95}\n/,
  );
  const opened = await server.event('open');
  assert.deepEqual([opened.tls.protocol, opened.tls.alpn], ['TLSv1.3', 'smtp']);
  await server.stop();
});

test('a server with --cacert lets in only those who show a certificate of it', async (t) => {
  const folder = tempDir(t);
  const friend = await createSelfSigned(['friend']);
  writeFileSync(join(folder, 'friend.pem'), friend.cert + friend.key);
  const server = start(['tcp-server', '0', '--echo', '--tls', '--cacert', 'friend.pem'], { cwd: folder });
  const { port } = await server.event('listening');
  const args = ['tcp-client', '127.0.0.1', String(port), '--tls', '-k', '--send', 'hello'];
  const stranger = await run(args);
  assert.notEqual(stranger.code, 0);
  assert.equal((await server.event('connection-error')).code, 'TLS_HANDSHAKE');
  const known = await run([...args, '--cert', 'friend.pem'], { cwd: folder });
  // Its extended key usage is a server's, which OpenSSL does not take for a client's.
  assert.ok([0, 35, 56].includes(known.code));
  await server.stop();
});

test('a client that connects and says nothing does not keep others from their handshake', async (t) => {
  const server = start(['tcp-server', '0', '--echo', '--tls']);
  const { port } = await server.event('listening');
  const silent = connect(port, '127.0.0.1');
  t.after(() => silent.destroy());
  await once(silent, 'connect');
  const { stdout } = await run([
    'tcp-client',
    '127.0.0.1',
    String(port),
    '--tls',
    '-k',
    '--send',
    'me first',
  ]);
  assert.equal(stdout, 'me first');
  await server.stop();
});

test('what does not speak TLS is exit 35 for a client, and one connection-error for a server', async (t) => {
  const plain = await listenTcp(t, (socket) => socket.end('220 smtp ready\r\n'));
  const { code, stderr } = await run(['tcp-client', '127.0.0.1', String(plain), '--tls', '--send', 'x']);
  assert.equal(code, 35, stderr);
  const server = start(['tcp-server', '0', '--echo', '--tls', '--once']);
  const { port } = await server.event('listening');
  await run(['tcp-client', '127.0.0.1', String(port), '--send', 'GET / HTTP/1.0\r\n\r\n']);
  assert.equal((await server.event('connection-error')).code, 'TLS_HANDSHAKE');
  // It was no connection yet: --once still waits for one.
  const { stdout } = await run(['tcp-client', '127.0.0.1', String(port), '--tls', '-k', '--send', 'now']);
  assert.equal(stdout, 'now');
  assert.equal((await server.done).code, 0);
});

test('openssl s_client speaks with our server, and we with openssl s_server', needs('openssl'), async (t) => {
  const folder = tempDir(t);
  const identity = await createSelfSigned();
  writeFileSync(join(folder, 'both.pem'), identity.cert + identity.key);
  const server = start(['tcp-server', '0', '--echo', '--tls', '--cert', join(folder, 'both.pem')]);
  const { port } = await server.event('listening');
  const bytes = someBytes(300_000);
  const line = `openssl s_client -quiet -no_ign_eof -CAfile ${folder}/both.pem -verify_return_error -connect 127.0.0.1:${port}`;
  const client = startShell(t, line);
  client.child.stdin.write(bytes);
  let received = 0;
  await new Promise<void>((resolve) => {
    client.child.stdout.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received === bytes.length) resolve();
    });
  });
  client.child.stdin.end();
  assert.ok((await client.done).output.equals(bytes));
  await server.stop();

  const theirs = startShell(
    t,
    `openssl s_server -rev -naccept 1 -cert ${folder}/both.pem -accept 127.0.0.1:0`,
  );
  const accepted = await new Promise<string>((resolve) => {
    let text = '';
    theirs.child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const match = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(text);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
  });
  const args = ['tcp-client', 'localhost', accepted, '--tls', '--cacert', join(folder, 'both.pem')];
  const { stdout, code } = await run([...args, '-4', '--send', 'olleh\n', '--expect', 'hello']);
  assert.deepEqual([code, stdout], [0, 'hello\n']);
});
