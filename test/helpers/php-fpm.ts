import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startProgram, waitForPort } from './programs.js';

export const PHP_FPM = 'php-fpm8.2';

/** A php-fpm of our own on a Unix socket in a folder; resolves with the socket's path. `pool` are lines for its pool. */
export async function startPhpFpm(
  t: TestContext,
  folder: string,
  pool: readonly string[] = ['pm = static', 'pm.max_children = 4'],
): Promise<string> {
  const socket = join(folder, 'php.sock');
  const conf = join(folder, 'php-fpm.conf');
  writeFileSync(
    conf,
    `[global]
error_log = ${join(folder, 'php.log')}
daemonize = no
[www]
user = root
group = root
listen = ${socket}
${pool.join('\n')}
catch_workers_output = no
php_admin_flag[log_errors] = on
php_admin_flag[display_errors] = off
`,
  );
  startProgram(t, PHP_FPM, ['-R', '-F', '-n', '-y', conf, '-d', 'post_max_size=100M']);
  await waitForPort(socket);
  return socket;
}
