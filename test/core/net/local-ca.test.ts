import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { hostname, type networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { createLocalIdentity } from '../../../src/core/net/local-ca.js';
import { listMachineNames } from '../../../src/core/net/machine-names.js';
import { tempDir } from '../../helpers/temp-dir.js';

const DAY_MS = 24 * 60 * 60 * 1000;

const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** What openssl says of the chain: `OK`, or why not. */
function verify(folder: string, cert: string, ...flags: string[]): string {
  writeFileSync(join(folder, 'leaf-to-verify.pem'), cert);
  const args = ['verify', '-x509_strict', '-purpose', 'sslserver', ...flags];
  const ca = ['-CAfile', join(folder, 'ca.crt'), join(folder, 'leaf-to-verify.pem')];
  return String(execFileSync('openssl', [...args, ...ca])).trim();
}

test('an authority is made once, and openssl verifies its certificate for every name asked for', async (t) => {
  const folder = join(tempDir(t), 'data', 'nettool');
  const identity = await createLocalIdentity(folder, ['files.example', '0.0.0.0', '192.0.2.7']);
  assert.equal(identity.caPath, join(folder, 'ca.crt'));
  assert.equal(identity.failure, undefined);
  for (const name of ['files.example', 'localhost']) {
    assert.match(verify(folder, identity.cert, '-verify_hostname', name), /: OK$/);
  }
  for (const address of ['192.0.2.7', '127.0.0.1', '::1']) {
    assert.match(verify(folder, identity.cert, '-verify_ip', address), /: OK$/);
  }
  assert.throws(() => verify(folder, identity.cert, '-verify_hostname', 'other.example'));
  assert.equal(identity.fingerprint, new X509Certificate(identity.cert).fingerprint256);
  assert.equal(identity.cert.match(/BEGIN CERTIFICATE/g)?.length, 2);
});

test('nobody else can read the keys or look into the folder', async (t) => {
  const folder = join(tempDir(t), 'nettool');
  mkdirSync(folder, { mode: 0o755 });
  await createLocalIdentity(folder);
  assert.equal(modeOf(folder), 0o700);
  for (const name of readdirSync(folder)) {
    const holdsKey = readFileSync(join(folder, name), 'utf8').includes('PRIVATE KEY');
    assert.equal(modeOf(join(folder, name)), holdsKey ? 0o600 : 0o644, name);
  }
  assert.ok(!readdirSync(folder).some((name) => /lock|\.new$/.test(name)), 'nothing is left behind');
});

test('browsers that trust the authority accept a server with the certificate', async (t) => {
  const { cert, key, caPath } = await createLocalIdentity(join(tempDir(t), 'ca'));
  const server = createServer({ cert, key }, (socket) => socket.end('hello')).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: 'localhost', ca: readFileSync(caPath as string) });
  const [data] = await once(socket, 'data');
  assert.equal(String(data), 'hello');
  assert.equal(socket.authorized, true);
});

test('what was made is used again, by name, until it is about to expire', async (t) => {
  const folder = join(tempDir(t), 'ca');
  const first = await createLocalIdentity(folder);
  assert.deepEqual(await createLocalIdentity(folder), first);
  const other = await createLocalIdentity(folder, ['other.example']);
  assert.notEqual(other.fingerprint, first.fingerprint);
  assert.deepEqual(await createLocalIdentity(folder), first, 'other names do not replace it');

  const later = await createLocalIdentity(folder, [], new Date(Date.now() + 61 * DAY_MS));
  assert.notEqual(later.fingerprint, first.fingerprint);
  assert.equal(later.cert.split('-----END')[1], first.cert.split('-----END')[1], 'the authority stays');
  const muchLater = await createLocalIdentity(folder, [], new Date(Date.now() + 3600 * DAY_MS));
  assert.notEqual(muchLater.cert.split('-----END')[1], first.cert.split('-----END')[1]);
});

test('several processes at once agree on one authority and one certificate', async (t) => {
  const folder = join(tempDir(t), 'ca');
  const all = await Promise.all(Array.from({ length: 8 }, () => createLocalIdentity(folder)));
  assert.equal(new Set(all.map(({ cert }) => cert)).size, 1);
});

test('a file that was cut short is made anew', async (t) => {
  const folder = join(tempDir(t), 'ca');
  const first = await createLocalIdentity(folder);
  writeFileSync(join(folder, 'ca.pem'), '-----BEGIN PRIVATE KEY-----\nMIG');
  const second = await createLocalIdentity(folder);
  assert.notEqual(second.cert, first.cert);
  assert.match(verify(folder, second.cert), /: OK$/);
});

test('where nothing can be kept, the certificate vouches for itself and says why', async (t) => {
  const base = tempDir(t, { file: '' });
  const { failure, caPath, cert } = await createLocalIdentity(join(base, 'file', 'nettool'));
  assert.match(failure?.message ?? '', /^cannot keep an authority in .*not a directory/);
  assert.equal(caPath, undefined);
  const certificate = new X509Certificate(cert);
  assert.ok(certificate.checkHost('localhost') && certificate.checkIssued(certificate));
  // For root a folder is always writable.
  if (process.getuid?.() === 0) return;
  chmodSync(base, 0o500);
  assert.ok((await createLocalIdentity(join(base, 'nettool'))).failure);
});

test('a machine is called by its name, its name in the local network and its addresses', () => {
  const interfaces = {
    lo: [{ address: '127.0.0.1' }, { address: '::1' }],
    eth0: [{ address: '192.0.2.9' }, { address: 'fe80::1' }, { address: '2001:db8::9' }],
  } as unknown as ReturnType<typeof networkInterfaces>;
  assert.deepEqual(listMachineNames(['Bücher.example', '::', 'fe80::1%eth0'], 'box', interfaces), [
    'xn--bcher-kva.example',
    'localhost',
    '127.0.0.1',
    '::1',
    'box',
    'box.local',
    '192.0.2.9',
    '2001:db8::9',
  ]);
  assert.deepEqual(listMachineNames(['a b', 'x..y', ''], 'box.example', {}), [
    'localhost',
    '127.0.0.1',
    '::1',
    'box.example',
  ]);
  assert.ok(listMachineNames([]).includes(hostname().toLowerCase()));
});
