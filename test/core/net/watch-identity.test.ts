import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSelfSigned } from '../../../src/core/net/self-signed.js';
import type { Identity } from '../../../src/core/net/tls.js';
import { watchIdentity } from '../../../src/core/net/watch-identity.js';
import { tempDir } from '../../helpers/temp-dir.js';

/** Promises of what comes next. */
function queue<T>(): { push(value: T): void; next(): Promise<T> } {
  const values: T[] = [];
  const waiting: Array<(value: T) => void> = [];
  return {
    push(value) {
      const taker = waiting.shift();
      if (taker === undefined) values.push(value);
      else taker(value);
    },
    async next() {
      return values.shift() ?? new Promise((resolve) => waiting.push(resolve));
    },
  };
}

test('a changed pair is read again; one that does not fit is told, and the next that does is taken', async (t) => {
  const folder = tempDir(t);
  const [certPath, keyPath] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => createSelfSigned()));
  const write = (cert: Identity, key: Identity = cert): void => {
    // As certificate clients do it: whole files, one after the other.
    writeFileSync(`${certPath}.new`, cert.cert);
    writeFileSync(`${keyPath}.new`, key.key);
    renameSync(`${certPath}.new`, certPath);
    renameSync(`${keyPath}.new`, keyPath);
  };
  write(first as Identity);
  const identities = queue<Identity>();
  const errors = queue<Error>();
  const stop = watchIdentity(certPath, keyPath, identities.push, {
    current: first as Identity,
    onError: errors.push,
    intervalMs: 20,
    settleMs: 50,
  });
  t.after(stop);

  write(second as Identity);
  assert.equal((await identities.next()).cert, second?.cert);
  write(third as Identity, second as Identity);
  assert.match((await errors.next()).message, /does not belong to the certificate/);
  write(third as Identity);
  assert.equal((await identities.next()).key, third?.key);
  writeFileSync(certPath, 'no certificate');
  assert.match((await errors.next()).message, /no certificate in/);
});
