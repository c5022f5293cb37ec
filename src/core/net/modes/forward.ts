import { Connection } from '../connection.js';
import { dial, type Endpoint } from '../dial.js';
import { MOST_LENDING } from '../lent-reads.js';
import type { Mode } from './mode.js';

/** How the other side is reached. */
export interface ForwardOptions {
  readonly target: Endpoint;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** Joins each connection to one of its own to the target; a FIN on either side becomes one on the other. */
export function forwardMode({ target, connectTimeoutMs, signal }: ForwardOptions): Mode {
  let active = 0;
  return {
    descriptorsEach: 2,
    async handle(connection) {
      const fast = active < MOST_LENDING;
      const { socket } = await dial({ endpoint: target, timeoutMs: connectTimeoutMs, signal, fast });
      const upstream = new Connection(socket, { id: connection.id });
      active += 1;
      try {
        await Promise.all([
          connection.receive({ sink: upstream.send }).then(() => upstream.end()),
          upstream.receive({ sink: connection.send }).then(() => connection.end()),
        ]);
        await upstream.closed;
      } finally {
        active -= 1;
        upstream.destroy('fin');
      }
    },
  };
}
