import { randomFillSync } from 'node:crypto';
import { type Source, sendSource } from '../source.js';
import type { Mode, OpenOutput } from './mode.js';

/** Every byte back, also those before a FIN (RFC 862). */
export function echoMode(): Mode {
  return { handle: (connection) => connection.receive({ sink: connection.send }) };
}

/** Takes everything and says nothing (RFC 863). */
export function sinkMode(): Mode {
  return { handle: (connection) => connection.receive({ sink: () => undefined }) };
}

/** Sends without end to whoever connects (RFC 864 with random bytes); what arrives is dropped. */
export function sourceMode(): Mode {
  const block = randomFillSync(Buffer.allocUnsafeSlow(BLOCK_BYTES));
  return {
    async handle(connection) {
      const incoming = connection.receive({ sink: () => undefined });
      incoming.catch(() => {});
      try {
        for (let count = 1; !connection.socket.destroyed; count += 1) {
          const wait = connection.send(block);
          if (wait !== undefined) await wait;
          else if (count % BLOCKS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      } catch {
        // Leaving is the only way to end it: a reset is no failure here.
      }
    },
  };
}

const BLOCK_BYTES = 256 * 1024;
const BLOCKS_PER_TURN = 16;

/** Shows what arrives, and answers the first of it with a text, then FIN. */
export function replyMode(openOutput: OpenOutput, reply: Buffer): Mode {
  return {
    async handle(connection) {
      const output = openOutput(connection);
      let replied = false;
      const answer = (): void => {
        if (replied) return;
        replied = true;
        // Whether it could be sent shows when the connection ends.
        connection.send(reply)?.catch(() => {});
        connection.end();
      };
      // Shown before it is answered, so that the answer is not the first to know.
      await connection.receive({
        sink: (bytes) => {
          const wait = output.sink(bytes);
          answer();
          return wait;
        },
      });
    },
  };
}

/** Sends the same file to everybody, then FIN; shows what arrives. */
export function sendMode(openOutput: OpenOutput, source: Source): Mode {
  return {
    descriptorsEach: 2,
    async handle(connection) {
      const outgoing = sendSource(source, connection.send).then(() => connection.end());
      await Promise.all([connection.receive(openOutput(connection)), outgoing]);
    },
  };
}
