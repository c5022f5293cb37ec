import { Distributor } from '../../net/distributor.js';
import type { ListeningEvent, ServeOptions } from '../server-types.js';
import { type OpenListener, openListener } from './listeners.js';

/** Where to listen, and how: what of {@link ServeOptions} is about sockets rather than requests. */
export type FrontOptions = Pick<
  ServeOptions,
  'host' | 'port' | 'portFallback' | 'listen' | 'tls' | 'backlog' | 'reusePort'
>;

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
  const open: OpenListener[] = [];
  const close = (): void => {
    for (const { server } of open) server.close();
    distributor.close();
  };
  const targets = options.listen ?? [{ host: options.host, port: options.port }];
  const listeners: FrontListener[] = [];
  try {
    for (const [index, target] of targets.entries()) {
      const listener = await openListener(target, options, (socket) => distributor.push(socket, index));
      open.push(listener);
      listeners.push({ event: listener.event, tls: options.tls !== undefined && target.tls !== false });
    }
  } catch (error) {
    close();
    throw error;
  }
  return { listeners, distributor, close };
}
