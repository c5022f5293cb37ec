import type { Command } from 'commander';
import type { Run } from './context.js';
import { registerRequest } from './request.js';

/** Declares `nettool patch URL`. */
export function registerPatch(program: Command, run: Run): void {
  registerRequest(program, run, 'PATCH');
}
