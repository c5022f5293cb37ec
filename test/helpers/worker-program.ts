/** A program for tests of worker processes: what `nettool serve` is to `--workers`, in a few lines. */

import type { Io } from '../../src/commands/context.js';
import { findServeSeat } from '../../src/commands/serve-workers.js';
import { createMetrics } from '../../src/core/http/metrics.js';
import { serveHttp } from '../../src/core/http/server/index.js';

const { env, stdout, pid } = process;
const io = { env } as unknown as Io;
const seat = await findServeSeat(io);
if (seat === undefined) throw new Error('this is for workers');
const metrics = createMetrics();
const answer = async (target: string): Promise<string> => {
  if (target === '/figures') return JSON.stringify(await seat.collect());
  if (target === '/settings') return JSON.stringify(seat.settings);
  return `worker ${pid}`;
};
process.exitCode = await seat.run(
  () =>
    serveHttp(
      {
        async handle({ target }) {
          if (target === '/crash') process.kill(pid, 'SIGKILL');
          return { status: 200, headers: [], body: await answer(target) };
        },
      },
      {
        host: '',
        port: 0,
        listen: seat.listen,
        signal: new AbortController().signal,
        onEvent: metrics.onEvent,
      },
    ),
  { snapshot: metrics.snapshot, reopen: () => stdout.write(`${pid} reopened\n`) },
);
