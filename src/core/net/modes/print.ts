import { Broadcast } from '../broadcast.js';
import { peerGone } from '../peer-gone.js';
import { type Source, sendSource } from '../source.js';
import type { Mode, OpenOutput } from './mode.js';

/** What the printing server works with. */
export interface PrintOptions {
  readonly openOutput: OpenOutput;
  /** Goes to everybody who is connected; read from the first connection on. */
  readonly input: Source;
  readonly stallMs?: number | undefined;
  /** The input could not be read; the server cannot go on. */
  onInputError(error: unknown): void;
}

/** Shows what arrives and sends one input to everybody; its end is everybody's FIN. */
export function printMode({ openOutput, input, stallMs, onInputError }: PrintOptions): Mode {
  const everybody = new Broadcast({ needsReceiver: true, stallMs });
  const stop = new AbortController();
  let inputOver = input.kind === 'none';
  let started = false;
  const endInput = (): void => {
    inputOver = true;
    everybody.finish();
  };
  const startInput = (): void => {
    if (started || inputOver) return;
    started = true;
    sendSource(input, (bytes) => everybody.send(bytes), stop.signal).then(endInput, (error) => {
      if (!stop.signal.aborted) onInputError(error);
    });
  };
  return {
    async handle(connection) {
      const receiver = everybody.add(connection);
      if (inputOver) receiver.finish();
      else startInput();
      try {
        await connection.receive(openOutput(connection));
        await Promise.race([receiver.finished, peerGone(connection)]);
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
