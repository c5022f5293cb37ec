import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** What is used of a tsconfig.json. */
export interface Tsconfig {
  readonly folder: string;
  readonly options: {
    readonly baseUrl?: string;
    readonly paths?: Readonly<Record<string, readonly string[]>>;
  };
}

const known = new Map<string, Tsconfig | undefined>();

/** The tsconfig.json nearest to a file; what it extends is not followed. */
export function findTsconfig(file: string): Tsconfig | undefined {
  const folder = dirname(file);
  if (folder === file) return undefined;
  if (!known.has(folder)) known.set(folder, readTsconfig(folder) ?? findTsconfig(folder));
  return known.get(folder);
}

function readTsconfig(folder: string): Tsconfig | undefined {
  try {
    const text = readFileSync(join(folder, 'tsconfig.json'), 'utf8');
    const { compilerOptions } = JSON.parse(withoutComments(text)) as {
      compilerOptions?: Tsconfig['options'];
    };
    return { folder, options: compilerOptions ?? {} };
  } catch {
    return undefined;
  }
}

/** Comments and trailing commas, which TypeScript allows, taken out; strings are passed over. */
function withoutComments(text: string): string {
  return text
    .replace(/("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_match, string) => string ?? '')
    .replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, (_match, string) => string ?? '');
}

/** Where `paths` says that an import may be found, as URLs to try in this order. */
export function pathsFor(specifier: string, parentUrl: string): string[] {
  if (!parentUrl.startsWith('file:')) return [];
  const found = findTsconfig(fileURLToPath(parentUrl));
  const { paths = {}, baseUrl = '.' } = found?.options ?? {};
  for (const [pattern, targets] of Object.entries(paths)) {
    const [before = '', after] = pattern.split('*');
    const isMatch =
      after === undefined
        ? specifier === pattern
        : specifier.startsWith(before) && specifier.endsWith(after) && specifier.length >= pattern.length - 1;
    if (!isMatch) continue;
    const middle = after === undefined ? '' : specifier.slice(before.length, specifier.length - after.length);
    return targets.map((target) => {
      const path = resolve(
        found?.folder ?? '',
        baseUrl,
        target.replace('*', () => middle),
      );
      return pathToFileURL(path).href;
    });
  }
  return [];
}
