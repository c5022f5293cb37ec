import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runProgram, startProgram, waitForPort } from './programs.js';

/** A MariaDB of our own on a socket in a folder, nothing but an empty database `stock` in it; resolves with its URL. */
export async function startMariadb(t: TestContext, folder: string): Promise<string> {
  const [data, socket] = [join(folder, 'data'), join(folder, 'db.sock')];
  mkdirSync(data);
  const common = ['--no-defaults', `--datadir=${data}`, '--innodb-log-file-size=4M'];
  runProgram('mariadb-install-db', [
    ...common,
    '--user=root',
    '--skip-test-db',
    '--auth-root-authentication-method=normal',
  ]);
  startProgram(t, 'mariadbd', [
    ...common,
    '--user=root',
    `--socket=${socket}`,
    '--skip-networking',
    '--innodb-flush-log-at-trx-commit=0',
    '--innodb-buffer-pool-size=16M',
  ]);
  await waitForPort(socket, 30_000);
  runProgram('mariadb', ['--no-defaults', `--socket=${socket}`, '-u', 'root', '-e', 'CREATE DATABASE stock']);
  return `mysql://root@localhost/stock?socketPath=${encodeURIComponent(socket)}`;
}
