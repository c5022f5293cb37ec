import { Socket } from 'node:net';

/** The process that has started this one, where the two speak by messages. */
export interface Parent {
  /** Says something; nothing happens when the parent is gone. */
  send(message: object): void;
  /** Gets every message, and the connection that came with it. */
  listen(listener: (message: unknown, socket: Socket | undefined) => void): void;
  /** Resolves when the parent is gone or the talk is over. */
  readonly gone: Promise<void>;
  /** Ends the talk, which would keep this process alive. */
  leave(): void;
}

/** The parent to speak to; undefined for a process that was started like any other. */
export function findParent(): Parent | undefined {
  if (process.send === undefined || !process.connected) return undefined;
  const send = process.send.bind(process);
  const gone = new Promise<void>((resolve) => process.once('disconnect', resolve));
  return {
    send(message) {
      // The callback takes the error of a parent that has just gone, which would end this process.
      if (process.connected) send(message, undefined, undefined, () => {});
    },
    listen(listener) {
      process.on('message', (message, handle) => {
        listener(message, handle instanceof Socket ? handle : undefined);
      });
    },
    gone,
    leave() {
      if (process.connected) process.disconnect?.();
    },
  };
}
