import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['', 'src'];
const NAMES = ['index', 'app', 'server', 'main'];
const EXTENSIONS = ['ts', 'tsx', 'mts', 'js', 'mjs', 'cjs'];

/** The module of a folder that is an application: the `main` of its package.json, else one of the usual names. */
export function findEntry(folder: string): string | undefined {
  const main = readMain(folder);
  const usual = FOLDERS.flatMap((below) =>
    NAMES.flatMap((name) => EXTENSIONS.map((extension) => join(below, `${name}.${extension}`))),
  );
  return [...(main === undefined ? [] : [main]), ...usual]
    .map((name) => join(folder, name))
    .find((path) => existsSync(path));
}

function readMain(folder: string): string | undefined {
  try {
    const { main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { main?: unknown };
    return typeof main === 'string' ? main : undefined;
  } catch {
    return undefined;
  }
}
