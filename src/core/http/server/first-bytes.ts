import type { Socket } from 'node:net';
import type { ServerContext } from './context.js';

/**
 * Reads from a new connection until `judge` has seen enough to tell what it is, and calls `then` with that and with
 * all that was read. A client that does not say in time what it wants is cut off.
 */
export function readFirst<T>(
  socket: Socket,
  context: ServerContext,
  judge: (bytes: Buffer) => T | undefined,
  then: (verdict: T, bytes: Buffer) => void,
): void {
  const { clock, timers } = context;
  const timed = { deadline: clock.after(timers.headMs), onDeadline: () => socket.destroy() };
  let bytes: Buffer = Buffer.alloc(0);
  const stop = (): void => {
    clock.unwatch(timed);
    socket.off('readable', onReadable).off('end', onGone).off('close', onGone).off('error', onGone);
  };
  const onGone = (): void => {
    stop();
    socket.on('error', () => {}).destroy();
  };
  const onReadable = (): void => {
    for (let piece = socket.read(); piece !== null; piece = socket.read()) {
      bytes = bytes.length === 0 ? piece : Buffer.concat([bytes, piece]);
      const verdict = judge(bytes);
      if (verdict === undefined) continue;
      stop();
      then(verdict, bytes);
      return;
    }
  };
  clock.watch(timed);
  socket.on('readable', onReadable).on('end', onGone).on('close', onGone).on('error', onGone);
}
