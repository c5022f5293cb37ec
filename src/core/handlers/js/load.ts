import { Module, registerHooks } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NettoolError } from '../../errors.js';

/** What a module exports. */
export type LoadedModule = Readonly<Record<string, unknown>>;

let importFile: ((url: string) => Promise<LoadedModule>) | undefined;

/**
 * Loads a JavaScript or TypeScript module and everything it imports, also from the packed binary. Types are left
 * out, not compiled: what needs more than that (enums, namespaces, parameter properties, JSX) is refused with a hint.
 */
export async function loadModule(file: string): Promise<LoadedModule> {
  importFile ??= createImport();
  try {
    return await importFile(pathToFileURL(file).href);
  } catch (error) {
    throw toLoadError(file, error);
  }
}

/**
 * `import()` that finds files. In a single executable application the bundle's own finds built-in modules only;
 * one in code that was compiled as an ordinary CommonJS module goes through Node's usual loader.
 */
function createImport(): (url: string) => Promise<LoadedModule> {
  registerHooks({ resolve: resolveTypescript });
  const loader = new Module('nettool-import.cjs') as Module & { _compile(code: string, name: string): void };
  loader._compile('module.exports = (url) => import(url);', 'nettool-import.cjs');
  return loader.exports as (url: string) => Promise<LoadedModule>;
}

type Resolve = Parameters<typeof registerHooks>[0]['resolve'];

/** TypeScript's own way of writing imports: `./x.js` stands for `./x.ts` where only that is there. */
const resolveTypescript: NonNullable<Resolve> = (specifier, context, next) => {
  try {
    return next(specifier, context);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const isOurs = context.parentURL !== undefined && !context.parentURL.includes('/node_modules/');
    if (!isMissing || !isOurs || !/^\.{0,2}\/.*\.[cm]?js$/.test(specifier)) throw error;
    try {
      return next(specifier.replace(/js$/, 'ts'), context);
    } catch {
      throw error;
    }
  }
};

const MISSING_PACKAGE = 'missing package';

const HINTS: Readonly<Record<string, string>> = {
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX:
    'TypeScript runs here by leaving its types out: enums, namespaces and parameter properties have to be compiled first',
  [MISSING_PACKAGE]: 'install what it needs (npm install) in the folder of the application',
  ERR_UNKNOWN_FILE_EXTENSION: 'JSX has to be compiled first (for instance with esbuild)',
};

function toLoadError(file: string, error: unknown): NettoolError {
  const { code } = error as NodeJS.ErrnoException;
  const text = error instanceof Error ? (error.message.split('\n')[0] as string) : String(error);
  return new NettoolError('INTERNAL', `cannot load ${basename(file)}: ${text}`, {
    cause: error,
    hint: HINTS[/^Cannot find (?:package|module '[^./])/.test(text) ? MISSING_PACKAGE : String(code)],
  });
}
