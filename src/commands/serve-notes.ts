import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { shellWord } from '../core/shell-word.js';
import type { AppFlags } from './serve-app-flags.js';
import { isSentAsItIs } from './serve-scripts.js';
import type { ServePlan } from './serve-target.js';

/** What makes a folder a program rather than a site, and how such a one is run. */
const PROGRAMS: ReadonlyArray<readonly [file: string, run: (name: string) => readonly string[]]> = [
  ['manage.py', (name) => [join(name, 'manage.py')]],
  ['wsgi.py', (name) => [join(name, 'wsgi.py')]],
  ['asgi.py', (name) => [join(name, 'asgi.py')]],
  ['app.py', (name) => [join(name, 'app.py')]],
  ['index.php', (name) => [name, '--fastcgi', '/=unix:/run/php/php-fpm.sock']],
];

/** A line for who serves the folder of a program as files, and with them its source and its settings. */
export function noteOnProgram({ name, mounts }: ServePlan, flags: AppFlags): string | undefined {
  const target = mounts[0]?.target;
  if (target?.kind !== 'static' || isSentAsItIs(flags)) return undefined;
  const { root, withheld } = target;
  for (const [file, run] of PROGRAMS) {
    const isRun = withheld?.extensions.some((extension) => file.endsWith(extension)) === true;
    if (isRun || !existsSync(join(root, file))) continue;
    const command = ['nettool', 'serve', ...run(name)].map(shellWord).join(' ');
    return `${file} is sent as it is, like everything else in there; to run it: ${command}`;
  }
  return undefined;
}
