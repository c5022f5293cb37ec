import type { Writable } from 'node:stream';
import type { Context } from '../context.js';

/** What is quicker than this needs no spinner. */
const PATIENCE_MS = 300;

const REFRESH_MS = 100;

/** Something that turns on stderr until it is stopped. Stopping twice does no harm. */
export interface Spinner {
  stop(): void;
}

/** Shows a text beside a spinner on stderr while something takes long, where progress may be shown at all. */
export function startSpinner(context: Context, text: () => string): Spinner {
  // ora divides by the width of the terminal, and some pseudo-terminals have none: it would draw for ever.
  if (!context.progress || !context.io.stderr.columns) return { stop: () => {} };
  let stop = (): void => clearTimeout(timer);
  let stopped = false;
  const timer = setTimeout(async () => {
    // Loaded only now: most runs are over before.
    const { default: ora } = await import('ora');
    if (stopped) return;
    const stream = context.io.stderr as Writable as NodeJS.WriteStream;
    const spinner = ora({ text: text(), stream, discardStdin: false }).start();
    const refresh = setInterval(() => {
      spinner.text = text();
    }, REFRESH_MS);
    stop = () => {
      clearInterval(refresh);
      spinner.stop();
    };
  }, PATIENCE_MS);
  return {
    stop() {
      if (stopped) return;
      stopped = true;
      stop();
    },
  };
}
