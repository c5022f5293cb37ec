import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { isWindows } from './os.js';

/** What to run. */
export interface ScriptOptions {
  readonly file: string;
  readonly cwd: string;
  /** The whole environment: nothing of ours is added. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a script ended. */
export interface ScriptEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A script that runs. */
export interface RunningScript {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly ended: Promise<ScriptEnd>;
  /** Ends it and all its children: TERM, and KILL when that does not help within `graceMs`. */
  stop(graceMs: number): void;
}

/**
 * Runs a file without arguments, as the head of a process group of its own, so that it can be ended with everything
 * it started. Rejects when it cannot be started at all.
 */
export function runScript({ file, cwd, env }: ScriptOptions): Promise<RunningScript> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: !isWindows });
    const ended = new Promise<ScriptEnd>((settle) => {
      child.once('exit', (code, signal) => settle({ code, signal }));
    });
    let isOver = false;
    let isStopping = false;
    child.once('exit', () => {
      isOver = true;
    });
    // A script need not read what it is given.
    child.stdin.on('error', () => {});
    child.once('error', reject);
    child.once('spawn', () => {
      child.off('error', reject);
      child.on('error', () => {});
      const pid = child.pid as number;
      const signalGroup = (signal: NodeJS.Signals): void => {
        try {
          if (isWindows) child.kill(signal);
          else process.kill(-pid, signal);
        } catch {
          // The whole group is gone already.
        }
      };
      const stop = (graceMs: number): void => {
        if (isStopping) return;
        isStopping = true;
        signalGroup('SIGTERM');
        // Also when the script itself has ended: a child of it may hold out.
        const timer = setTimeout(() => signalGroup('SIGKILL'), graceMs);
        if (isOver) timer.unref();
      };
      resolve({ pid, stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended, stop });
    });
  });
}
