import type { Command } from 'commander';
import type { Run } from './context.js';
import { registerRequest } from './request.js';

/** Declares `nettool options URL`. */
export function registerOptions(program: Command, run: Run): void {
  registerRequest(program, run, 'OPTIONS');
}
