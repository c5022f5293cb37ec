import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { TestContext } from 'node:test';

/** How a program ended, with its output as bytes. */
export interface ProgramResult {
  readonly code: number | null;
  readonly output: Buffer;
  readonly stderr: string;
}

/** A program that runs beside a test and is killed with it. */
export interface Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly done: Promise<ProgramResult>;
}

/** Starts a shell line; `input` is its stdin, which ends then (left out: stays open). */
export function startShell(t: TestContext, line: string, input?: string | Buffer): Program {
  const child = spawn('/bin/bash', ['-c', line], { stdio: 'pipe', detached: true });
  const chunks: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => {});
  if (input !== undefined) child.stdin.end(input);
  const done = new Promise<ProgramResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output: Buffer.concat(chunks), stderr }));
  });
  t.after(() => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // Ended already.
    }
  });
  return { child, done };
}
