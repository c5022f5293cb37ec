import type { Command } from 'commander';
import type { Run } from './context.js';
import { registerRequest } from './request.js';

/** Declares `nettool delete URL`. */
export function registerDelete(program: Command, run: Run): void {
  registerRequest(program, run, 'DELETE');
}
