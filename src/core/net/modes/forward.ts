import { Connection } from '../connection.js';
import { dial, type Endpoint } from '../dial.js';
import type { Mode } from './mode.js';

/** How the other side is reached. */
export interface ForwardOptions {
  readonly target: Endpoint;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** Joins each connection to one of its own to the target; a FIN on either side becomes one on the other. */
export function forwardMode({ target, connectTimeoutMs, signal }: ForwardOptions): Mode {
  return {
    descriptorsEach: 2,
    async handle(connection) {
      const { socket } = await dial({ endpoint: target, timeoutMs: connectTimeoutMs, signal });
      const upstream = new Connection(socket, { id: connection.id });
      try {
        await Promise.all([
          connection.receive({ sink: upstream.send }).then(() => upstream.end()),
          upstream.receive({ sink: connection.send }).then(() => connection.end()),
        ]);
        await upstream.closed;
      } finally {
        upstream.destroy('fin');
      }
    },
  };
}
