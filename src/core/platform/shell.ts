import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { NettoolError } from '../errors.js';
import { isWindows } from './os.js';

/** How long a child may take to end when it is asked to, before it is killed. */
const GRACE_MS = 2000;

/** A command line that runs beside us. */
export interface Child {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: Socket;
  /** Resolves when it has ended: its exit code, or the signal that killed it. Rejects when it could not be started. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Ends it and everything it started: TERM, and KILL to what is left after the grace time. */
  stop(): Promise<void>;
}

/** What a child runs in. */
export interface ChildOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string | undefined;
  /** Gets what it writes to stderr. */
  onStderr(bytes: Buffer): void;
}

/** Starts a command line in the system's shell, in a process group of its own. */
export function startShell(commandLine: string, options: ChildOptions): Child {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(commandLine, {
    shell: true,
    // A group of its own can be stopped as a whole.
    detached: !isWindows,
    windowsHide: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
  });
  child.stderr.on('data', (bytes) => options.onStderr(bytes));
  // Whoever writes meets the error; a child that reads nothing is no failure of ours.
  child.stdin.on('error', () => {});
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  exited.catch(() => {});
  return {
    pid: child.pid,
    stdin: child.stdin,
    // A pipe of libuv's, as its other sockets are.
    stdout: child.stdout as Socket,
    exited,
    async stop() {
      if (child.pid === undefined) return;
      killTree(child.pid, 'SIGTERM');
      const timer = setTimeout(() => killTree(child.pid, 'SIGKILL'), GRACE_MS);
      await exited.catch(() => {});
      clearTimeout(timer);
      // What it left behind in its group.
      killTree(child.pid, 'SIGKILL');
    },
  };
}

function killTree(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    if (isWindows) spawn('taskkill', ['/pid', String(pid), '/t', '/f'], { stdio: 'ignore' });
    else process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}

/** Fails when a command line begins with a plain word that the shell would not find; cleverer ones are left to it. */
export async function checkCommand(commandLine: string, cwd: string): Promise<void> {
  const [word = ''] = commandLine.trim().split(/\s+/);
  if (word === '') throw new NettoolError('USAGE', 'the command is empty');
  if (isWindows || !/^[\w./+-]+$/.test(word)) return;
  const child = spawn('/bin/sh', ['-c', 'command -v -- "$1" >/dev/null', 'sh', word], {
    stdio: 'ignore',
    cwd,
  });
  const code = await new Promise((resolve) => child.once('error', () => resolve(0)).once('exit', resolve));
  if (code !== 0) throw new NettoolError('INPUT_FAILED', `cannot run ${word} (no such command)`);
}
