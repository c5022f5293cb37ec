import { Broadcast } from '../broadcast.js';
import { peerGone } from '../peer-gone.js';
import type { Mode } from './mode.js';

/** Relays what each connection says to all the others. One that has ended its side goes on listening. */
export function chatMode(stallMs: number | undefined): Mode {
  const everybody = new Broadcast({ needsReceiver: false, stallMs });
  const stop = new AbortController();
  return {
    // Its spool may need one beside the socket.
    descriptorsEach: 2,
    async handle(connection) {
      const receiver = everybody.add(connection);
      try {
        await connection.receive({ sink: (bytes) => everybody.send(bytes, receiver) });
        await peerGone(connection, stop.signal);
      } finally {
        everybody.remove(receiver);
      }
    },
    finish() {
      stop.abort();
      everybody.finish();
    },
  };
}
