import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { NettoolError } from '../core/errors.js';

/** The file of a program that a target names, with or without a callable after it. */
const PROGRAM_FILE = /^(.+\.(?:py|wsgi|[cm]?[jt]s))(?::[^/\\]*)?$/;

/** Refuses a target that is no file or folder at once, before a worker or loader fails at it in its own words. */
export function refuseMissing(name: string, cwd: string): void {
  const file = PROGRAM_FILE.exec(name)?.[1] ?? name;
  if (existsSync(resolve(cwd, file))) return;
  // Written as Python and gunicorn have it: `app`, `shop.wsgi`.
  const meant = [name, name.replaceAll('.', '/')]
    .flatMap((stem) => ['.py', '.ts', '.js', '.mjs'].map((extension) => stem + extension))
    .find((candidate) => existsSync(resolve(cwd, candidate)));
  throw new NettoolError('INPUT_FAILED', `cannot serve ${resolve(cwd, file)} (no such file or directory)`, {
    hint: meant === undefined ? undefined : `${meant} is there`,
  });
}
