import type { Command } from 'commander';
import type { Run } from './context.js';
import { registerRequest } from './request.js';

/** Declares `nettool post URL`. */
export function registerPost(program: Command, run: Run): void {
  registerRequest(program, run, 'POST');
}
