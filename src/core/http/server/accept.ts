import { Socket } from 'node:net';
import { normalizeAddress } from '../../net/address.js';
import { Connection } from './connection.js';
import type { ServerContext } from './context.js';
import type { Peer } from './request.js';

/** What every plain connection reads into: it is emptied before the next one's turn. */
const sharedBuffer = Buffer.allocUnsafeSlow(65_536);

/** Speaks HTTP/1 on a socket; `first` are bytes that were read from it already. */
export function serveHttp1(socket: Socket, context: ServerContext, peer: Peer, first?: Buffer): Connection {
  const fast = 'encrypted' in socket ? undefined : toFastSocket(socket);
  const connection = new Connection(fast?.socket ?? socket, context, peer);
  context.connections.add(connection);
  if (fast !== undefined) fast.start(connection);
  else {
    socket.on('data', (bytes: Buffer) => {
      connection.receive(bytes, bytes.length);
    });
  }
  if (first !== undefined && first.length > 0) connection.receive(first, first.length);
  return connection;
}

interface FastSocket {
  readonly socket: Socket;
  start(connection: Connection): void;
}

/**
 * The same connection as a socket that reads into one shared buffer rather than a new one each time. node:net
 * offers that (`onread`) to clients only, so the handle changes its owner; where it has no such handle, the
 * ordinary way is taken.
 */
function toFastSocket(socket: Socket): FastSocket | undefined {
  const owner = socket as unknown as { _handle: unknown; _server: unknown };
  const handle = owner._handle;
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return undefined;
  let receiver: Connection | undefined;
  const callback = (size: number, buffer: Uint8Array): boolean =>
    receiver?.receive(buffer as Buffer, size) ?? true;
  const options = { handle, allowHalfOpen: true, onread: { buffer: sharedBuffer, callback } };
  const fast = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  Object.assign(fast, { _server: owner._server, server: owner._server });
  owner._handle = null;
  owner._server = null;
  return {
    socket: fast,
    start(connection) {
      receiver = connection;
      fast.resume();
    },
  };
}

/** Both ends of an accepted socket. */
export function peerOf(socket: Socket): Peer {
  const remoteAddress = normalizeAddress(socket.remoteAddress ?? '');
  const remotePort = socket.remotePort ?? 0;
  return {
    remoteAddress,
    remotePort,
    get localAddress() {
      return normalizeAddress(socket.localAddress ?? '');
    },
    get localPort() {
      return socket.localPort ?? 0;
    },
  };
}
