import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');

/** A program of test/fixtures that runs as the binary does: one CommonJS file, no loader of ours in its Node. */
export interface PlainProgram {
  readonly child: ChildProcess;
  /** The next line it prints. */
  nextLine(): Promise<string>;
  /** What it has written to stderr. */
  errors(): string;
}

/** Bundles a file of test/fixtures the way the build does; resolves with the bundle's path. */
export async function bundleFixture(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name.replace(/\.ts$/, '')}.cjs`);
  await build({
    entryPoints: [join(ROOT, 'test/fixtures', name)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    logLevel: 'warning',
  });
  return outfile;
}

/** Runs a bundle until the test ends; it inherits `descriptors` as 3, 4, … */
export function runPlain(
  t: TestContext,
  bundle: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  descriptors: readonly number[] = [],
): PlainProgram {
  const child = spawn(process.execPath, [bundle, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  }) as ChildProcessByStdio<null, Readable, Readable>;
  const lines: string[] = [];
  let waiting: Array<() => void> = [];
  let rest = '';
  let errors = '';
  let isOver = false;
  const wake = (): void => {
    const woken = waiting;
    waiting = [];
    for (const go of woken) go();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() as string;
    lines.push(...parts);
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  child.on('close', () => {
    isOver = true;
    wake();
  });
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    if (!t.passed) t.diagnostic(errors);
  });
  return {
    child,
    errors: () => errors,
    async nextLine() {
      for (;;) {
        const line = lines.shift();
        if (line !== undefined) return line;
        if (isOver) throw new Error(`it ended: ${errors}`);
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
}
