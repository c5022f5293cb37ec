import type { Command } from 'commander';
import type { Run } from './context.js';
import { registerRequest } from './request.js';

/** Declares `nettool get URL`. */
export function registerGet(program: Command, run: Run): void {
  registerRequest(program, run, 'GET');
}
