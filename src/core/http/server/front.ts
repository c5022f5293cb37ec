import { Distributor } from '../../net/distributor.js';
import type { ListeningEvent } from '../server-types.js';
import { type FrontOptions, openListeners } from './listeners.js';

export type { FrontOptions } from './listeners.js';

/** A place that is listened at, as plain data for another process. */
export interface FrontListener {
  readonly event: ListeningEvent;
  readonly tls: boolean;
}

/** Sockets that accept for others: whoever is added to the distributor gets connections. */
export interface Front {
  readonly listeners: readonly FrontListener[];
  readonly distributor: Distributor;
  /** Accepts no more, and refuses what still waits. */
  close(): void;
}

/** Binds every place to listen at, or none; connections wait until somebody takes them. */
export async function openFront(options: FrontOptions): Promise<Front> {
  const distributor = new Distributor();
  const open = await openListeners(options, (socket, _isSecure, index) =>
    distributor.push(socket, index),
  ).catch((error) => {
    distributor.close();
    throw error;
  });
  return {
    listeners: open.map(({ event, tls }) => ({ event, tls })),
    distributor,
    close() {
      for (const { server } of open) server.close();
      distributor.close();
    },
  };
}
