import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

/** The path of a program, or undefined when it is not installed (system folders for daemons included). */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** `{ skip: reason }` for a test that needs programs that are not here. */
export function needs(...names: string[]): { skip?: string } {
  const missing = names.filter((name) => findProgram(name) === undefined);
  return missing.length === 0 ? {} : { skip: `not installed: ${missing.join(', ')}` };
}

/** Starts a daemon in the foreground; it is killed when the test ends. Its output is shown when it dies early. */
export function startProgram(t: TestContext, name: string, args: readonly string[]): ChildProcess {
  const child = spawn(findProgram(name) ?? name, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  let isOver = false;
  child.on('exit', (code) => {
    if (!isOver && code !== 0) t.diagnostic(`${name} exited with ${code}: ${output}`);
  });
  t.after(async () => {
    isOver = true;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
    await ended;
    clearTimeout(timer);
  });
  return child;
}

/** Resolves when something accepts connections there. */
export async function waitForPort(target: number | string, timeoutMs = 15_000): Promise<void> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = typeof target === 'number' ? connect(target, '127.0.0.1') : connect({ path: target });
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isUp) return;
    if (Date.now() > until) throw new Error(`nothing listens at ${target}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port that was free a moment ago, for programs that cannot be asked which one they took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Runs a program to its end and returns what it printed. */
export function runProgram(name: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = spawnSync(findProgram(name) ?? name, args, {
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  });
  if (status !== 0) throw new Error(`${name} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** For tests of what only POSIX systems have. */
export const needsPosix: { skip?: string } =
  process.platform === 'win32' ? { skip: 'needs POSIX signals' } : {};
