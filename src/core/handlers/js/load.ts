import { Module, registerHooks } from 'node:module';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { NettoolError } from '../../errors.js';
import { compileTypescript } from './compile.js';
import { pathsFor } from './tsconfig.js';

/** What a module exports. */
export type LoadedModule = Readonly<Record<string, unknown>>;

let importFile: ((url: string) => Promise<LoadedModule>) | undefined;

/**
 * Loads a JavaScript or TypeScript module and everything it imports, also from the packed binary. Types are left
 * out; what needs more than that (enums, namespaces, parameter properties, decorators, JSX) is compiled by the
 * application's own esbuild, or refused with a hint.
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
  registerHooks({ resolve: resolveTypescript, load: compileTypescript });
  allowTypelessPackages();
  const loader = new Module('nettool-import.cjs') as Module & { _compile(code: string, name: string): void };
  loader._compile('module.exports = (url) => import(url);', 'nettool-import.cjs');
  return loader.exports as (url: string) => Promise<LoadedModule>;
}

/** A package.json that does not say which kind of modules it has is no reason for a warning here. */
function allowTypelessPackages(): void {
  const { emitWarning } = process;
  process.emitWarning = ((...args: unknown[]) => {
    const [, options] = args as [unknown, { code?: string } | undefined];
    if (options?.code !== 'MODULE_TYPELESS_PACKAGE_JSON') Reflect.apply(emitWarning, process, args);
  }) as typeof process.emitWarning;
}

type Resolve = Parameters<typeof registerHooks>[0]['resolve'];

/** What Node does not find as it is written may be written as TypeScript has it. */
const resolveTypescript: NonNullable<Resolve> = (specifier, context, next) => {
  try {
    return next(specifier, context);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const { parentURL } = context;
    const isOurs = parentURL !== undefined && !parentURL.includes('/node_modules/');
    if (!MISSING.has(code as string) || !isOurs) throw error;
    for (const candidate of spellings(specifier, parentURL)) {
      try {
        return next(candidate, context);
      } catch {}
    }
    throw error;
  }
};

const MISSING = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_UNSUPPORTED_DIR_IMPORT']);
const EXTENSIONS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '/index.ts', '/index.tsx', '/index.js'];

/** `./x.js` stands for `./x.ts` where only that is there, `./x` for either, and `paths` of tsconfig.json for files. */
function spellings(specifier: string, parentUrl: string): string[] {
  const bases = /^\.{0,2}\//.test(specifier) ? [specifier] : pathsFor(specifier, parentUrl);
  return bases.flatMap((base) => [
    ...(base === specifier ? [] : [base]),
    ...(/\.[cm]?js$/.test(base) ? [base.replace(/js$/, 'ts'), base.replace(/js$/, 'tsx')] : []),
    ...EXTENSIONS.map((extension) => base + extension),
  ]);
}

const COMPILER =
  'has to be compiled, which is done as soon as esbuild is installed beside the application (npm install -D esbuild)';

/** What to do about a module that does not load. */
function hintFor(error: unknown, text: string): string | undefined {
  const { code, stack = '' } = error as NodeJS.ErrnoException;
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return `TypeScript runs here by leaving its types out: what is more than types ${COMPILER}`;
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return `JSX ${COMPILER}`;
  if (error instanceof SyntaxError && /^@/m.test(stack)) return `code with decorators ${COMPILER}`;
  if (/does not provide an export named/.test(text))
    return 'what is only a type has to be imported by `import type`';
  if (/^Cannot find (?:package|module '[^./])/.test(text))
    return 'install what it needs (npm install) in the folder of the application';
  return undefined;
}

function toLoadError(file: string, error: unknown): NettoolError {
  const text = error instanceof Error ? (error.message.split('\n')[0] as string) : String(error);
  return new NettoolError('INTERNAL', `cannot load ${basename(file)}: ${text}`, {
    cause: error,
    hint: hintFor(error, text),
  });
}
