import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The folder a target's virtual environment is looked for from: its own, or the current one for a module. */
export function searchFolder(target: string, cwd: string): string {
  const path = resolve(cwd, target.replace(/(?<=.):[^:/\\]*$/, ''));
  const state = statSync(path, { throwIfNoEntry: false });
  if (state?.isDirectory()) return path;
  return state === undefined ? cwd : dirname(path);
}
