import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Whether a target names a file of Python: `.py`, or `.wsgi` as Apache's mod_wsgi has it; a callable may follow. */
export function isPythonFile(target: string): boolean {
  return /\.(?:py|wsgi)(?::|$)/.test(target);
}

/** `shop.web:app`, and `shop.wsgi` for `shop.wsgi:application`, as the world writes it for gunicorn. */
const MODULE = /^[A-Za-z_]\w*(\.\w+)*(:[A-Za-z_][\w.]*(\(.*\))?|(?<=\.[aw]sgi))$/;

/** Whether a target is a module rather than a file; `site.wsgi` may be either. */
export function isPythonModule(target: string): boolean {
  return MODULE.test(target) && !/\.py(?::|$)/.test(target);
}

/** Whether a target can only mean a Python application: a file of Python or a module (a file's own name comes first). */
export function isPythonTarget(target: string): boolean {
  return isPythonFile(target) || MODULE.test(target);
}

/** The folder a target's virtual environment is looked for from: its own, or the current one for a module. */
export function searchFolder(target: string, cwd: string): string {
  const path = resolve(cwd, target.replace(/(?<=.):[^:/\\]*$/, ''));
  const state = statSync(path, { throwIfNoEntry: false });
  if (state?.isDirectory()) return path;
  return state === undefined ? cwd : dirname(path);
}
