import { Broadcast } from '../broadcast.js';
import type { Connection } from '../connection.js';
import { peerGone } from '../peer-gone.js';
import { endsByItself, type Source, sendSource } from '../source.js';
import type { Mode, OpenOutput } from './mode.js';

/** How long an input without an end of its own may be silent before a client that has said all is not kept waiting. */
const SILENCE_MS = 5000;

/** What the printing server works with. */
export interface PrintOptions {
  readonly openOutput: OpenOutput;
  /** Goes to everybody who is connected; read from the first connection on. */
  readonly input: Source;
  /** A person types: a client that has said all is told goodbye at once. */
  readonly interactive: boolean;
  /** Instead of the times that are usual: until a client that stands still is dropped, or the silent input ends. */
  readonly patienceMs?: number | undefined;
  /** The input could not be read; the server cannot go on. */
  onInputError(error: unknown): void;
}

/** Shows what arrives and sends one input to everybody; its end is everybody's FIN. */
export function printMode(options: PrintOptions): Mode {
  const { openOutput, input, patienceMs } = options;
  const everybody = new Broadcast({ needsReceiver: true, stallMs: patienceMs });
  const stop = new AbortController();
  const silenceMs = endsByItself(input) ? undefined : options.interactive ? 0 : (patienceMs ?? SILENCE_MS);
  let inputOver = input.kind === 'none';
  let started = false;
  let lastInputAt = 0;
  const endInput = (): void => {
    inputOver = true;
    everybody.finish();
  };
  const broadcast = async (bytes: Buffer): Promise<void> => {
    // While it waits for the receivers the input is not silent.
    lastInputAt = Number.POSITIVE_INFINITY;
    await everybody.send(bytes);
    lastInputAt = performance.now();
  };
  const startInput = (): void => {
    if (started || inputOver) return;
    started = true;
    sendSource(input, broadcast, stop.signal).then(endInput, (error) => {
      if (!stop.signal.aborted) options.onInputError(error);
    });
  };
  return {
    async handle(connection) {
      const receiver = everybody.add(connection);
      if (inputOver) receiver.finish();
      else startInput();
      try {
        await connection.receive(openOutput(connection));
        const silent = silenceMs === undefined ? [] : [silence(connection, silenceMs, () => lastInputAt)];
        await Promise.race([receiver.finished, peerGone(connection), ...silent]);
        receiver.finish();
        await receiver.finished;
      } finally {
        everybody.remove(receiver);
      }
    },
    finish() {
      stop.abort();
      endInput();
    },
  };
}

/** Resolves when the input has brought nothing for so long, counted from now. */
function silence(connection: Connection, silenceMs: number, lastInputAt: () => number): Promise<void> {
  const since = performance.now();
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const look = (): void => {
      const quietMs = performance.now() - Math.max(since, lastInputAt());
      if (quietMs >= silenceMs) resolve();
      else timer = setTimeout(look, Math.min(silenceMs, silenceMs - quietMs));
    };
    connection.closed.then(() => clearTimeout(timer));
    look();
  });
}
