import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..');

/** Data tables and nothing else may be longer. */
const MAX_LINES = 300;

interface Source {
  /** Relative to the project's root, `src/core/errors.ts`. */
  readonly file: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

interface Import {
  /** A file of ours (`src/core/errors.ts`) or a package (`chalk`, `node:net`). */
  readonly target: string;
  readonly typesOnly: boolean;
  /** `await import()`. */
  readonly lazy: boolean;
}

const sources = ['bin', 'src'].flatMap((folder) => readTree(folder));

function readTree(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const file = join(folder, name);
      const text = readFileSync(join(ROOT, file), 'utf8');
      return { file, text: withoutComments(text), imports: findImports(file, text) };
    });
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1');
}

function findImports(file: string, text: string): Import[] {
  const found: Import[] = [];
  const target = (name: string): string =>
    name.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), name)).replace(/\.js$/, '.ts') : name;
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s)?([^'";]*?)\s*from\s*'([^']+)'/gm)) {
    const names = (match[2] ?? '').replace(/[{}]/g, '').split(',');
    const typesOnly =
      match[1] !== undefined || names.every((name) => !name.trim() || name.trim().startsWith('type '));
    found.push({ target: target(match[3] as string), typesOnly, lazy: false });
  }
  for (const match of text.matchAll(/^import\s*'([^']+)'/gm)) {
    found.push({ target: target(match[1] as string), typesOnly: false, lazy: false });
  }
  for (const match of text.matchAll(/\b(?:import|require)\(\s*'([^']+)'/g)) {
    found.push({ target: target(match[1] as string), typesOnly: false, lazy: true });
  }
  return found;
}

/** The room a file is in: the longest of these its path starts with. */
const ROOMS = [
  'bin',
  'src/commands/views',
  'src/commands/output',
  'src/commands',
  'src/core/platform',
  'src/core/net',
  'src/core/http',
  'src/core/handlers',
  'src/core/workers',
  'src/core/ping',
  'src/core/interfaces',
  'src/core',
] as const;

function roomOf(file: string): string {
  return ROOMS.find((room) => file.startsWith(`${room}/`)) ?? 'outside';
}

/** Which rooms a room may take values from, beside itself. `src/core` is the floor: errors and secrets. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  bin: ['src/commands', 'src/core'],
  'src/commands': ['src/commands/views', 'src/commands/output', 'src/core', 'outside'],
  'src/commands/views': ['src/commands/output', 'src/core'],
  'src/commands/output': ['src/core'],
  'src/core': [],
  'src/core/platform': ['src/core'],
  'src/core/net': ['src/core', 'src/core/platform'],
  'src/core/http': ['src/core', 'src/core/platform', 'src/core/net'],
  'src/core/workers': ['src/core', 'src/core/platform'],
  'src/core/handlers': ['src/core', 'src/core/platform', 'src/core/net', 'src/core/http', 'src/core/workers'],
  'src/core/ping': ['src/core', 'src/core/platform', 'src/core/net'],
  'src/core/interfaces': ['src/core', 'src/core/platform', 'src/core/net'],
};

/** Beside the values: rooms whose types a room may name. Commands may name any core type, and load core lazily. */
function mayImport(from: string, to: string, { typesOnly, lazy, target }: Import): boolean {
  if (from === to || VALUES[from]?.includes(to)) return true;
  if (from === 'src/commands')
    return to.startsWith('src/core') && (typesOnly || lazy || target === 'src/core/platform/os.ts');
  if (from === 'src/commands/views') return to.startsWith('src/core') && typesOnly;
  if (from === 'src/commands/output') return typesOnly && target === 'src/commands/context.ts';
  if (from === 'bin') return typesOnly;
  return false;
}

test('every import keeps to the rooms it may take from', () => {
  const broken = sources.flatMap(({ file, imports }) =>
    imports
      .filter(({ target }) => target.startsWith('src/') || target.startsWith('bin/'))
      .filter((line) => !mayImport(roomOf(file), roomOf(line.target), line))
      .map(({ target }) => `${file} may not import ${target}`),
  );
  assert.deepEqual(broken, []);
});

/** Packages and the only files that may name them. */
const OWNERS: ReadonlyArray<readonly [name: RegExp, allowed: RegExp]> = [
  [/^commander$/, /^src\/commands\/[^/]+\.ts$/],
  [/^chalk$/, /^src\/commands\/output\/style\.ts$/],
  [/^ora$/, /^src\/commands\/output\/spinner\.ts$/],
  [/^uqr$/, /^src\/commands\/output\/qr\.ts$/],
  [/^client-zip$/, /^src\/core\/handlers\/zip\//],
  [/^@fastify\/busboy$/, /^src\/core\/handlers\/uploads\//],
  [/^undici/, /^src\/core\/http\/http2(-session)?\.ts$/],
  [/^bcryptjs$/, /^src\/core\/http\/passwords\//],
  [/^tough-cookie$/, /^src\/core\/http\/cookies\.ts$/],
  [/^node:ffi$/, /^src\/core\/platform\/ffi\.ts$/],
  [/^node:child_process$/, /^src\/core\/platform\//],
  [/^node:cluster$/, /^src\/core\/(platform|workers)\//],
];

test('a package is imported only by the file that owns it', () => {
  const broken = sources.flatMap(({ file, imports }) =>
    imports
      .filter(({ target }) => OWNERS.some(([name, allowed]) => name.test(target) && !allowed.test(file)))
      .map(({ target }) => `${file} may not import ${target}`),
  );
  assert.deepEqual(broken, []);
});

/** Words that may stand only where the house has put them. */
const WORDS: ReadonlyArray<readonly [name: string, word: RegExp, allowed: RegExp]> = [
  ['process.platform', /\bprocess\.platform\b/, /^src\/core\/platform\/os\.ts$/],
  ['process.exit', /\bprocess\.exit\(/, /^bin\/nettool\.ts$/],
  ['the process streams', /\bprocess\.(stdout|stdin|stderr|argv|exitCode)\b/, /^bin\/nettool\.ts$/],
  ['console', /\bconsole\.\w+\(/, /^bin\/nettool\.ts$/],
  ['.pipe(', /\.pipe\(/, /^$/],
  ['a server of node:http', /\bres\.(write|writeHead|end)\(|from 'node:https?'/, /^src\/core\/handlers\//],
];

test('words with one home stand only there', () => {
  const broken = sources.flatMap(({ file, text }) =>
    WORDS.filter(([, word, allowed]) => word.test(text) && !allowed.test(file)).map(
      ([name]) => `${file} uses ${name}`,
    ),
  );
  assert.deepEqual(broken, []);
});

test('no file is longer than a reader can hold', () => {
  const long = sources
    .map(({ file }) => ({ file, lines: readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES);
  assert.deepEqual(long, []);
});

test('file names are kebab-case and say what the file is', () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|manager|service)(\.ts|\/)/;
  const broken = sources.filter(({ file }) => vague.test(file) || !/^[a-z0-9/_-]+(\.d)?\.ts$/.test(file));
  assert.deepEqual(
    broken.map(({ file }) => file),
    [],
  );
});

test('exports are named, and commands are declared with program.command()', () => {
  const broken = sources.filter(({ text }) => /^export default\b/m.test(text) || /\.addCommand\(/.test(text));
  assert.deepEqual(
    broken.map(({ file }) => file),
    [],
  );
});
