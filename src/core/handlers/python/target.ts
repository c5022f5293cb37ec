import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Whether a target can only mean a Python application: a `.py` file or `module:callable` (a file's own name comes first). */
export function isPythonTarget(target: string): boolean {
  return /\.py(:|$)/.test(target) || /^[A-Za-z_]\w*(\.\w+)*:[A-Za-z_][\w.]*(\(.*\))?$/.test(target);
}

/** The folder a target's virtual environment is looked for from: its own, or the current one for a module. */
export function searchFolder(target: string, cwd: string): string {
  const path = resolve(cwd, target.replace(/(?<=.):[^:/\\]*$/, ''));
  const state = statSync(path, { throwIfNoEntry: false });
  if (state?.isDirectory()) return path;
  return state === undefined ? cwd : dirname(path);
}
