import type { ToParent, ToWorker } from './node-messages.js';

/** How a worker process talks to the master that has started it. */
export interface Parent {
  /** Work can be taken from now on. */
  ready(): void;
  /** This worker cannot start. */
  failed(reason: string): void;
  served(count: number): void;
  send(content: unknown): void;
}

/** What a worker does when its parent asks. */
export interface ParentHandlers {
  /** Takes nothing new; resolves when what runs is finished. */
  readonly onDrain: () => Promise<void>;
  /** The parent is gone: nothing may outlive it. */
  readonly onLost: () => void;
  readonly onMessage?: (content: unknown) => void;
}

/** The master this process works for; undefined when it works for nobody. */
export function joinParent(handlers: ParentHandlers): Parent | undefined {
  if (process.send === undefined) return undefined;
  const send = (message: ToParent): void => {
    // A parent that has just gone is told by 'disconnect'.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  process.on('message', (message: ToWorker) => {
    if (message.type === 'message') handlers.onMessage?.(message.content);
    else void handlers.onDrain().finally(() => send({ type: 'drained' }));
  });
  process.once('disconnect', handlers.onLost);
  return {
    ready: () => send({ type: 'ready' }),
    failed: (reason) => send({ type: 'failed', reason }),
    served: (count) => send({ type: 'served', count }),
    send: (content) => send({ type: 'message', content }),
  };
}
