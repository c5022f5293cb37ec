import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAccessCheck } from '../../../src/core/net/access-list.js';
import { createDatagramCutter } from '../../../src/core/net/datagrams.js';
import { createExpectation } from '../../../src/core/net/expectation.js';
import { createSelfSigned } from '../../../src/core/net/self-signed.js';
import { isPeerClosed, type SocketPair } from '../../../src/core/net/tcp-table.js';
import { readAuthorities, readIdentity } from '../../../src/core/net/tls.js';
import { isBroadcast } from '../../../src/core/net/udp-socket.js';
import { connectTcp, listenTcp } from '../../helpers/sockets.js';
import { tempDir } from '../../helpers/temp-dir.js';

test('access: deny wins, allow narrows, IPv4 counts behind IPv6 too', () => {
  const check = createAccessCheck({ allow: ['10.0.0.0/8', '::1'], deny: ['10.9.0.0/16'] });
  const answers = ['10.1.2.3', '::ffff:10.1.2.3', '10.9.0.1', '192.168.0.1', '::1', '::2'].map(check);
  assert.deepEqual(answers, [true, true, false, false, true, false]);
  assert.equal(createAccessCheck({ allow: [], deny: ['::/0'] })('127.0.0.1'), true);
  for (const rule of ['10.0.0.0/33', '10.0.0/8', 'localhost', '::1/129', '1.2.3.4/', '1.2.3.4/-1']) {
    assert.throws(() => createAccessCheck({ allow: [rule], deny: [] }), /is not an address or network/, rule);
  }
});

test('a broadcast address is told by the networks of this machine, or by its looks', () => {
  const entry = { family: 'IPv4', mac: '', internal: false } as const;
  const interfaces = {
    eth0: [{ ...entry, address: '10.67.0.1', netmask: '255.255.255.128', cidr: '10.67.0.1/25' }],
    eth1: [{ ...entry, address: '10.1.2.3', netmask: '255.255.252.0', cidr: '10.1.2.3/22' }],
    ppp0: [{ ...entry, address: '10.5.0.1', netmask: '255.255.255.255', cidr: '10.5.0.1/32' }],
  };
  const yes = ['10.67.0.127', '10.1.3.255', '192.0.2.255', '255.255.255.255'];
  const no = ['10.67.0.1', '10.67.0.126', '10.5.0.1', '10.1.3.127', '::ff', '2001:db8::255'];
  for (const address of yes) assert.equal(isBroadcast(address, interfaces), true, address);
  for (const address of no) assert.equal(isBroadcast(address, interfaces), false, address);
});

test('datagrams: lines wherever the pieces are cut, chunks of one size, too long a line refused', async () => {
  const text = 'one\ntwo\n\nrest';
  for (let cut = 0; cut <= text.length; cut += 1) {
    for (const [chunkBytes, expected] of [
      [undefined, ['one\n', 'two\n', '\n', 'rest']],
      [4, ['one\n', 'two\n', '\nres', 't']],
    ] as const) {
      const sent: string[] = [];
      const cutter = createDatagramCutter(async (bytes) => void sent.push(bytes.toString()), chunkBytes);
      await cutter.sink(Buffer.from(text.slice(0, cut)));
      await cutter.sink(Buffer.from(text.slice(cut)));
      await cutter.finish();
      assert.deepEqual(sent, expected);
    }
  }
  const cutter = createDatagramCutter(async () => {}, undefined);
  await assert.rejects(async () => cutter.sink(Buffer.alloc(65_508, 'x')), { code: 'TOO_LARGE' });
});

test('an expectation is met across pieces and characters cut in two, and forgets what is long past', () => {
  const expectation = createExpectation(/żółć$/mu);
  const bytes = Buffer.from(`${'-'.repeat(70_000)}\nżółć\n`);
  for (const byte of bytes.subarray(0, -3)) expectation.look(Buffer.from([byte]));
  assert.equal(expectation.isMatched, false);
  expectation.look(bytes.subarray(-3));
  assert.equal(expectation.isMatched, true);
});

test('a certificate made on the spot is good for the names asked for and for this machine', async () => {
  const { cert, key, fingerprint } = await createSelfSigned(['files.example', '192.0.2.7', '0.0.0.0', '::']);
  const certificate = new X509Certificate(cert);
  for (const name of ['files.example', 'localhost']) assert.equal(certificate.checkHost(name), name);
  for (const address of ['192.0.2.7', '127.0.0.1', '::1'])
    assert.equal(certificate.checkIP(address), address);
  assert.equal(certificate.checkIP('0.0.0.0'), undefined);
  assert.equal(certificate.fingerprint256, fingerprint);
  assert.equal(certificate.publicKey.asymmetricKeyType, 'ec');
  const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
  assert.ok(days > 30 && days < 398);
  assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/);
});

test('certificate files are checked before they are used', async (t) => {
  const folder = tempDir(t);
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const one = await createSelfSigned(['one']);
  const two = await createSelfSigned(['two']);
  const cert = file('cert', one.cert);
  assert.deepEqual(await readIdentity(cert, file('key', one.key)), { cert: one.cert, key: one.key });
  const both = await readIdentity(file('both', one.cert + one.key));
  assert.equal(both.key, one.cert + one.key);
  assert.equal(await readAuthorities(cert), one.cert);
  const cases: Array<[() => Promise<unknown>, RegExp]> = [
    [
      () => readIdentity(cert, file('other', two.key)),
      /the key in .*other does not belong to the certificate/,
    ],
    [() => readIdentity(cert), /there is no private key in/],
    [() => readIdentity(file('text', 'hello')), /there is no certificate in/],
    [() => readIdentity(join(folder, 'none')), /cannot read the certificate .*none \(no such file/],
    [() => readAuthorities(folder), /cannot read the CA certificate .*\(is a directory\)/],
    [
      () =>
        readIdentity(
          cert,
          file('locked', '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----'),
        ),
      /is encrypted/,
    ],
  ];
  for (const [read, words] of cases) {
    await assert.rejects(read, (error: NodeJS.ErrnoException) => {
      assert.match(error.message, words);
      assert.equal(error.code, 'INPUT_FAILED');
      return true;
    });
  }
});

const linux = process.platform === 'linux' ? {} : { skip: 'Linux only' };

test('the system tells a peer that has closed from one that has only ended its side', linux, async (t) => {
  for (const host of ['127.0.0.1', '::1']) {
    const accepted: Socket[] = [];
    const port = await listenTcp(t, (socket) => accepted.push(socket.resume()), host);
    const held = await connectTcp(t, { port, host });
    held.end();
    const gone = await connectTcp(t, { port, host });
    gone.destroy();
    while (accepted.filter((socket) => socket.readableEnded).length < 2) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // The table that was read may be a tenth of a second old.
    await new Promise((resolve) => setTimeout(resolve, 150));
    const closed = accepted.map((socket) => isPeerClosed(socket as unknown as SocketPair));
    assert.deepEqual(closed, [false, true]);
  }
});
