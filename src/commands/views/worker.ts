import type { WorkerEvent } from '../../core/workers/types.js';
import { escapeLine } from '../output/escape.js';
import type { Style } from '../output/style.js';

/** What people want to know of workers: those that fail, and that a new generation has taken over. */
export function viewWorker(event: WorkerEvent, style: Style): string | undefined {
  const { state, index, generation, reason = 'no reason known' } = event;
  const name = `worker ${index + 1} (${event.pid === null ? 'no process' : `process ${event.pid}`})`;
  switch (state) {
    case 'died':
      return style.red(`${name} died: ${escapeLine(reason)}; it is started again`);
    case 'failed':
      return style.red(`${name} could not start: ${escapeLine(reason)}`);
    case 'ready':
      return generation > 1 ? style.dim(`${name} is ready (generation ${generation})`) : undefined;
    default:
      return undefined;
  }
}
