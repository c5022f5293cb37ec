import type { Command } from 'commander';
import type { Run } from './context.js';
export function registerIfconfig(_program: Command, _run: Run): void {}
