import type { Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { type NettoolError, toNettoolError } from '../errors.js';
import { type Identity, SERVER_OFFER, type TlsVersion, toMinVersion } from './tls.js';

/** A peer that connects and then says nothing must not keep its place. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** How the server end of TLS is set up. */
export interface TlsServerOptions {
  readonly identity: Identity;
  /** Certificates of those who may connect: a client must show one signed by them. */
  readonly clientCa?: string | undefined;
  readonly alpn?: readonly string[] | undefined;
  readonly minVersion?: TlsVersion | undefined;
}

/** What becomes of each socket. */
export interface TlsOutcome {
  onSecure(socket: TLSSocket): void;
  /** The handshake failed; the socket is gone. */
  onFailure(error: NettoolError, socket: TLSSocket): void;
}

/** Takes accepted sockets through the TLS handshake; each ends in exactly one of the outcomes. */
export interface TlsAcceptor {
  accept(socket: Socket): void;
  /** Drops the sockets whose handshake is not through. */
  close(): void;
}

/** A {@link TlsAcceptor}; it never blocks, however many handshakes stand still. */
export function createTlsAcceptor(options: TlsServerOptions, outcome: TlsOutcome): TlsAcceptor {
  const { identity, clientCa, alpn, minVersion } = options;
  const pending = new Set<Socket>();
  // Never listens: accepting is done elsewhere, this only knows the handshake.
  const server = createServer({
    ...identity,
    ...SERVER_OFFER,
    ...toMinVersion(minVersion),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  server.on('secureConnection', (socket) => {
    pending.delete((socket as { _parent?: Socket })._parent ?? socket);
    socket.pause();
    outcome.onSecure(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    outcome.onFailure(toNettoolError(error, 'no TLS handshake'), socket);
    socket.destroy();
  });
  return {
    accept(socket) {
      pending.add(socket);
      socket.once('close', () => pending.delete(socket));
      // Its errors are the handshake's.
      socket.on('error', () => {});
      server.emit('connection', socket);
    },
    close() {
      for (const socket of pending) socket.destroy();
    },
  };
}
