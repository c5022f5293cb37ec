import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { TestContext } from 'node:test';

const ROOT = resolve(import.meta.dirname, '../..');

/** The command that starts nettool: the binary named by `NETTOOL_BIN`, else the sources. */
const COMMAND: readonly [string, ...string[]] = process.env.NETTOOL_BIN
  ? [process.env.NETTOOL_BIN]
  : [
      process.execPath,
      '--disable-sigusr1',
      '--import',
      import.meta.resolve('tsx'),
      resolve(ROOT, 'bin/nettool.ts'),
    ];

/** How a spawned nettool ended. */
export interface SpawnResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A nettool that runs as a process of its own. */
export interface SpawnedCommand {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves when it has exited and its output is complete. */
  readonly done: Promise<SpawnResult>;
  /** The first match of a pattern in what it writes to a stream. */
  find(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray>;
}

/** Where it runs, and a file in place of its stdout. */
export interface SpawnOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdoutFile?: string;
}

/** Starts nettool as a process; it is killed when the test ends, and its output shown when it failed. */
export function spawnNettool(
  t: TestContext,
  args: readonly string[],
  options: SpawnOptions = {},
): SpawnedCommand {
  const shell = ['/bin/sh', '-c', `exec "$@" > '${options.stdoutFile}'`, 'sh'];
  const [command, ...first] = [...(options.stdoutFile === undefined ? [] : shell), ...COMMAND] as [string];
  const child = spawn(command, [...first, ...args], {
    stdio: 'pipe',
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const done = new Promise<SpawnResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...texts }));
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await done.catch(() => {});
    if (!t.passed) {
      const [stdout, stderr] = [texts.stdout.slice(-2000), texts.stderr.slice(-2000)];
      t.diagnostic(`${args.join(' ')}\nstdout: ${stdout}\nstderr: ${stderr}`);
    }
  });
  return {
    child,
    done,
    find: (name, pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(texts[name]);
          if (match !== null) resolve(match);
        };
        child[name].on('data', look);
        done.then(() => reject(new Error(`no ${pattern} on ${name}: ${texts[name]}${texts.stderr}`)), reject);
        look();
      }),
  };
}
