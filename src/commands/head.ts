import type { Command } from 'commander';
import type { Run } from './context.js';
import { registerRequest } from './request.js';

/** Declares `nettool head URL`. */
export function registerHead(program: Command, run: Run): void {
  registerRequest(program, run, 'HEAD');
}
