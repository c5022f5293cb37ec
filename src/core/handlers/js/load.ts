import { readFileSync } from 'node:fs';
import { Module, registerHooks, stripTypeScriptTypes } from 'node:module';
import { basename, dirname, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { NettoolError } from '../../errors.js';
import { compileTypescript } from './compile.js';
import { pathsFor } from './tsconfig.js';

/** What a module exports. */
export type LoadedModule = Readonly<Record<string, unknown>>;

let importFile: ((url: string) => Promise<LoadedModule>) | undefined;

/** The files of the application that were loaded last, to be looked through when one of them cannot be read. */
let loaded: string[] = [];

/**
 * Loads a JavaScript or TypeScript module and everything it imports, also from the packed binary. Types are left
 * out; what needs more than that (enums, namespaces, parameter properties, decorators, JSX) is compiled by the
 * application's own esbuild, or refused with a hint.
 */
export async function loadModule(file: string): Promise<LoadedModule> {
  importFile ??= createImport();
  loaded = [];
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
  registerHooks({ resolve: resolveTypescript, load: noteLoaded });
  registerHooks({ load: compileTypescript });
  silenceNode();
  const loader = new Module('nettool-import.cjs') as Module & { _compile(code: string, name: string): void };
  loader._compile('module.exports = (url) => import(url);', 'nettool-import.cjs');
  return loader.exports as (url: string) => Promise<LoadedModule>;
}

/** Neither a package.json that does not say which kind of modules it has nor what we use of Node is worth a warning. */
function silenceNode(): void {
  const { emitWarning } = process;
  process.emitWarning = ((...args: unknown[]) => {
    const [text, options] = args as [unknown, { code?: string } | undefined];
    const isOurs = String(text).startsWith('stripTypeScriptTypes');
    if (options?.code !== 'MODULE_TYPELESS_PACKAGE_JSON' && !isOurs)
      Reflect.apply(emitWarning, process, args);
  }) as typeof process.emitWarning;
}

const noteLoaded: NonNullable<Parameters<typeof registerHooks>[0]['load']> = (url, context, next) => {
  if (url.startsWith('file:') && !url.includes('/node_modules/')) loaded.push(url);
  return next(url, context);
};

/** Where a file breaks the language's rules, as `name:line`: V8 keeps that to itself for ES modules. */
function placeOf(error: unknown, file: string): string | undefined {
  if (!(error instanceof SyntaxError) || !/^SyntaxError/.test(error.stack ?? '')) return undefined;
  for (const path of loaded.map((url) => fileURLToPath(url))) {
    try {
      stripTypeScriptTypes(readFileSync(path, 'utf8'), { sourceUrl: path });
    } catch (problem) {
      const line = /:(\d+)$/m.exec((problem as Error).stack?.split('\n', 1)[0] ?? '')?.[1];
      if (line !== undefined) return `${relative(dirname(file), path)}:${line}`;
    }
  }
  return undefined;
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
  const place = placeOf(error, file);
  const where = place === undefined ? '' : ` (${place})`;
  return new NettoolError('INTERNAL', `cannot load ${basename(file)}: ${text}${where}`, {
    cause: error,
    hint: hintFor(error, text),
  });
}
