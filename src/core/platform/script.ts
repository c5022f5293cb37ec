import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { isWindows } from './os.js';
import { handOver, openPipe } from './pipe.js';

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
export function runScript(options: ScriptOptions): Promise<RunningScript> {
  return new Promise((resolve, reject) => {
    const { child, stdin, stdout, stderr } = spawnPiped(options);
    const ended = new Promise<ScriptEnd>((settle) => {
      child.once('exit', (code, signal) => settle({ code, signal }));
    });
    let isOver = false;
    let isStopping = false;
    child.once('exit', () => {
      isOver = true;
    });
    // A script need not read what it is given.
    stdin.on('error', () => {});
    const refuse = (error: Error): void => {
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
      reject(error);
    };
    child.once('error', refuse);
    child.once('spawn', () => {
      child.off('error', refuse);
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
      resolve({ pid, stdin, stdout, stderr, ended, stop });
    });
  });
}

interface Spawned extends Pick<RunningScript, 'stdin' | 'stdout' | 'stderr'> {
  readonly child: ChildProcess;
}

function spawnPiped({ file, cwd, env }: ScriptOptions): Spawned {
  const pipes = [openPipe('in'), openPipe('out'), openPipe('out')] as const;
  const stdio = pipes.map((pipe) => pipe?.theirs ?? ('pipe' as const));
  const child = handOver(pipes, () => spawn(file, [], { cwd, env, stdio, detached: !isWindows }));
  const [stdin, stdout, stderr] = pipes;
  return {
    child,
    stdin: stdin?.ours ?? (child.stdin as Writable),
    stdout: stdout?.ours ?? (child.stdout as Readable),
    stderr: stderr?.ours ?? (child.stderr as Readable),
  };
}
