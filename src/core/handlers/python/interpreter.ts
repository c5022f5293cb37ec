import { access, constants, stat } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { NettoolError } from '../../errors.js';
import { isWindows } from '../../platform/os.js';

/** Where an interpreter is looked for. */
export interface PythonSearch {
  /** What the user asked for: a path or a name. */
  readonly python?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** The application's folder; virtual environments are looked for from here upward. */
  readonly folder: string;
}

/** An interpreter, and why this one. */
export interface PythonChoice {
  readonly command: string;
  readonly reason: string;
}

const ENVIRONMENTS = ['.venv', 'venv', 'env'];
const BINARY = isWindows ? ['Scripts', 'python.exe'] : ['bin', 'python'];

/** Chooses the interpreter: the one asked for, the active or nearest virtual environment's, else the system's. */
export async function findPython(search: PythonSearch): Promise<PythonChoice> {
  const { python, env, cwd, folder } = search;
  if (python !== undefined) return findNamed(python, search);
  if (env.VIRTUAL_ENV) {
    const command = join(env.VIRTUAL_ENV, ...BINARY);
    if (await isExecutable(command)) return { command, reason: 'the active virtual environment' };
  }
  for (const start of [folder, cwd]) {
    const command = await findEnvironment(start);
    if (command !== undefined) return { command, reason: 'the nearest virtual environment' };
  }
  for (const name of ['python3', 'python']) {
    const command = await findOnPath(name, env);
    if (command !== undefined) return { command, reason: `${name} on the PATH` };
  }
  throw new NettoolError('INTERNAL', 'no Python interpreter was found', {
    hint: 'install Python 3.8 or later, or name one with --python',
  });
}

async function findNamed(python: string, { env, cwd }: PythonSearch): Promise<PythonChoice> {
  const isPath = python.includes('/') || (isWindows && python.includes('\\'));
  const path = isPath ? resolve(cwd, python) : await findOnPath(python, env);
  const inside = path === undefined ? undefined : join(path, ...BINARY);
  const reason = 'as asked';
  if (path !== undefined && (await isExecutable(path))) return { command: path, reason };
  // The folder of a virtual environment means its interpreter.
  if (inside !== undefined && (await isExecutable(inside))) return { command: inside, reason };
  throw new NettoolError('INTERNAL', `there is no Python interpreter at ${python}`, {
    hint: 'name an interpreter or a virtual environment with --python',
  });
}

/** The interpreter of the first virtual environment from a folder upward. */
async function findEnvironment(start: string): Promise<string | undefined> {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    for (const name of ENVIRONMENTS) {
      const command = join(folder, name, ...BINARY);
      if ((await exists(join(folder, name, 'pyvenv.cfg'))) && (await isExecutable(command))) return command;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

async function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    const path = join(folder, isWindows ? `${name}.exe` : name);
    if (folder !== '' && (await isExecutable(path))) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
