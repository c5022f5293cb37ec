import { readFileSync } from 'node:fs';
import { createRequire, type Module } from 'node:module';
import { fileURLToPath } from 'node:url';
import { findTsconfig } from './tsconfig.js';

type Load = NonNullable<Parameters<typeof Module.registerHooks>[0]['load']>;

/** As much as is used of esbuild. */
interface Compiler {
  transformSync(code: string, options: Readonly<Record<string, unknown>>): { readonly code: string };
}

const COMPILED = /\.(?:[cm]?ts|[jt]sx)$/;
/** What leaving types out cannot do, and some of what it can: compiling that as well does no harm. */
const NEEDS_MORE =
  /^\s*@[A-Za-z_]|\b(?:enum|namespace|module|private|protected|public|readonly)\s|\bimport\s+\w+\s*=|\bexport\s*=/m;

/**
 * Compiles what cannot run by leaving its types out (enums, namespaces, parameter properties, decorators, JSX), with
 * the esbuild that the application has installed; without one it is Node's to say what is wrong.
 */
export const compileTypescript: Load = (url, context, next) => {
  if (!url.startsWith('file:') || !COMPILED.test(url) || url.includes('/node_modules/'))
    return next(url, context);
  const file = fileURLToPath(url);
  const source = readFileSync(file, 'utf8');
  const compiler = file.endsWith('x') || NEEDS_MORE.test(source) ? findCompiler(file) : undefined;
  if (compiler === undefined) return next(url, context);
  const isCommon = file.endsWith('.cts') || !/^\s*(?:import|export)\b/m.test(source);
  const { code } = compiler.transformSync(source, {
    loader: file.endsWith('x') ? file.slice(-3) : 'ts',
    format: isCommon ? 'cjs' : 'esm',
    target: 'node24',
    sourcefile: file,
    sourcemap: 'inline',
    tsconfigRaw: { compilerOptions: { jsx: 'react-jsx', ...findTsconfig(file)?.options } },
  });
  return { format: isCommon ? 'commonjs' : 'module', source: code, shortCircuit: true };
};

function findCompiler(file: string): Compiler | undefined {
  try {
    return createRequire(file)('esbuild') as Compiler;
  } catch {
    return undefined;
  }
}
