import { execFile } from 'node:child_process';
import { NettoolError, toNettoolError } from '../errors.js';

/** What a tool left behind. */
export interface ToolResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Bounds of a tool's run. */
export interface ToolLimits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const MAX_OUTPUT_BYTES = 16 * 2 ** 20;

/**
 * Runs one of the system's tools in the C locale, so that its output can be parsed. Any exit code is a result;
 * a missing tool is UNSUPPORTED, one that takes too long is ended and a TIMEOUT.
 */
export async function runTool(
  tool: string,
  args: readonly string[],
  { timeoutMs, signal }: ToolLimits,
): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, LC_ALL: 'C', LANG: 'C' };
    const limits = { timeout: timeoutMs, maxBuffer: MAX_OUTPUT_BYTES, killSignal: 'SIGKILL' as const };
    const settings = { ...limits, env, windowsHide: true, ...(signal === undefined ? {} : { signal }) };
    execFile(tool, [...args], settings, (error, stdout, stderr) => {
      if (error === null) return resolve({ exitCode: 0, stdout, stderr });
      if (typeof error.code === 'number') return resolve({ exitCode: error.code, stdout, stderr });
      if (error.code === 'ENOENT' || error.code === 'EACCES') {
        return reject(new NettoolError('UNSUPPORTED', `this system has no ${tool}`, { cause: error }));
      }
      if (error.killed === true) return reject(new NettoolError('TIMEOUT', `${tool} took too long`));
      reject(toNettoolError(error, `cannot run ${tool}`));
    });
  });
}
