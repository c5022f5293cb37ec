import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLocalIdentity, type LocalIdentity } from '../../../src/core/net/local-ca.js';
import { renewIdentity } from '../../../src/core/net/renew-identity.js';
import { tempDir } from '../../helpers/temp-dir.js';

const DAY_MS = 24 * 60 * 60 * 1000;

test('a server that runs for months gets certificates before they expire, and no sooner', async (t) => {
  const folder = join(tempDir(t), 'ca');
  const startedMs = Date.now();
  const { cert } = await createLocalIdentity(folder, ['a.example']);
  let day = 0;
  let looks = 0;
  let onLook: () => void = () => {};
  const got: LocalIdentity[] = [];
  const changes = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  const stop = renewIdentity(
    (identity) => {
      got.push(identity);
      changes[got.length - 1]?.resolve();
    },
    {
      folder,
      hosts: ['a.example'],
      current: cert,
      intervalMs: 1,
      onError: (error) => assert.fail(error),
      now() {
        looks += 1;
        onLook();
        return new Date(startedMs + day * DAY_MS);
      },
    },
  );
  t.after(stop);
  const looked = (): Promise<void> => {
    const until = looks + 2;
    return new Promise((resolve) => {
      // The timer of the watch keeps no process alive.
      const alive = setInterval(() => {}, 1000);
      onLook = () => {
        if (looks < until) return;
        clearInterval(alive);
        resolve();
      };
    });
  };
  day = 59;
  await looked();
  assert.equal(got.length, 0);
  for (const [count, next] of [61, 122].entries()) {
    day = next;
    const alive = setInterval(() => {}, 1000);
    await changes[count]?.promise;
    clearInterval(alive);
    const certificate = new X509Certificate(got[count]?.cert ?? '');
    assert.ok(certificate.validToDate.getTime() > startedMs + (next + 60) * DAY_MS);
    assert.equal(certificate.checkHost('a.example'), 'a.example');
  }
  await looked();
  assert.equal(got.length, 2);
});

test('a process that is given an old certificate takes the one another has made', async (t) => {
  const folder = join(tempDir(t), 'ca');
  const later = new Date(Date.now() + 70 * DAY_MS);
  const old = await createLocalIdentity(folder);
  const fresh = await createLocalIdentity(folder, [], later);
  const alive = setInterval(() => {}, 1000);
  const taken = await new Promise<LocalIdentity>((resolve, onError) => {
    t.after(renewIdentity(resolve, { folder, hosts: [], current: old.cert, onError, now: () => later }));
  });
  clearInterval(alive);
  assert.equal(taken.fingerprint, fresh.fingerprint);
  assert.notEqual(taken.fingerprint, old.fingerprint);
});
