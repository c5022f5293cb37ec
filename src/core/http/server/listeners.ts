import { chmod } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { toNettoolError } from '../../errors.js';
import { isWildcard, reachableUrls } from '../../net/address.js';
import { listen } from '../../net/listener.js';
import { listenUnix } from '../../net/unix-listener.js';
import type { ListeningEvent, ListenTarget, ServeOptions } from '../server-types.js';

const BACKLOG = 4096;

/** A bound server, and where it can be reached. */
export interface OpenListener {
  readonly server: { close(): void };
  readonly event: ListeningEvent;
  readonly tls: boolean;
}

/** Where to listen, and how: what of {@link ServeOptions} is about sockets rather than requests. */
export type FrontOptions = Pick<
  ServeOptions,
  'host' | 'port' | 'portFallback' | 'listen' | 'tls' | 'backlog' | 'reusePort'
>;

/** Binds every place to listen at, or none; each connection goes to `accept`, with the place's number. */
export async function openListeners(
  options: FrontOptions,
  accept: (socket: Socket, isSecure: boolean, index: number) => void,
): Promise<OpenListener[]> {
  const listeners: OpenListener[] = [];
  const targets = options.listen ?? [{ host: options.host, port: options.port }];
  try {
    for (const [index, target] of targets.entries()) {
      listeners.push(await openListener(target, options, (socket, tls) => accept(socket, tls, index)));
    }
  } catch (error) {
    for (const { server } of listeners) server.close();
    throw error;
  }
  return listeners;
}

async function openListener(
  target: ListenTarget,
  options: FrontOptions,
  accept: (socket: Socket, isSecure: boolean) => void,
): Promise<OpenListener> {
  const tls = options.tls !== undefined && target.tls !== false;
  const onSocket = (socket: Socket): void => accept(socket, tls);
  if ('source' in target) return { server: { close: target.source(onSocket) }, event: target.event, tls };
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, onSocket);
  const backlog = options.backlog ?? BACKLOG;
  if ('path' in target) {
    await listenUnix(server, target.path);
    if (target.mode !== undefined) await chmod(target.path, target.mode);
  } else if ('fd' in target) {
    await bind(server, { fd: target.fd, backlog }, `cannot listen on descriptor ${target.fd}`);
  } else {
    const { reusePort = false, portFallback = false } = options;
    await listen(server, { host: target.host, port: target.port, backlog, reusePort, portFallback });
  }
  // An accept that fails (no descriptor left) must not end the process.
  server.on('error', () => {});
  const asked = 'host' in target ? target.host : undefined;
  const event = describe(server.address(), tls ? 'https' : 'http', asked);
  return { server, event: 'admin' in target ? { ...event, admin: true } : event, tls };
}

function describe(
  address: AddressInfo | string | null,
  scheme: string,
  asked: string | undefined,
): ListeningEvent {
  if (typeof address === 'string' || address === null) {
    const path = address ?? '';
    return { type: 'listening', url: `unix:${path}`, urls: [`unix:${path}`], host: path, port: 0, path };
  }
  const { address: host, port } = address;
  const urls = reachableUrls(scheme, asked === undefined || isWildcard(host) ? host : asked, port);
  return { type: 'listening', url: urls[0] ?? '', urls, host, port };
}

function bind(server: Server, where: object, doing: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(toNettoolError(error, doing));
    server.once('error', fail);
    server.listen(where, () => {
      server.off('error', fail);
      resolve();
    });
  });
}
