import type { Command } from 'commander';
import type { Run } from './context.js';
import { registerRequest } from './request.js';

/** Declares `nettool put URL`. */
export function registerPut(program: Command, run: Run): void {
  registerRequest(program, run, 'PUT');
}
