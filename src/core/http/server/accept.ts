import { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { NettoolError } from '../../errors.js';
import { normalizeAddress } from '../../net/address.js';
import { SERVER_OFFER } from '../../net/tls.js';
import { createTrust } from '../../net/trust.js';
import type { ServeOptions, TlsIdentity } from '../server-types.js';
import { Connection } from './connection.js';
import type { ServerContext } from './context.js';
import { readFirst } from './first-bytes.js';
import { parseProxyHeader } from './proxy-protocol.js';
import type { Peer } from './request.js';
import { redirectToTls, turnAway } from './turn-away.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

type ServeHttp2 = typeof import('./http2.js').serveHttp2;

/** Finds out what a new connection speaks, and lets that be spoken. */
export class Acceptor {
  readonly #context: ServerContext;
  readonly #options: ServeOptions;
  readonly #serveHttp2: ServeHttp2 | undefined;
  readonly #trusts: ((address: string) => boolean) | undefined;
  #secureContext: SecureContext | undefined;

  private constructor(context: ServerContext, options: ServeOptions, serveHttp2: ServeHttp2 | undefined) {
    this.#context = context;
    this.#options = options;
    this.#serveHttp2 = serveHttp2;
    this.#trusts = options.trustProxy === undefined ? undefined : createTrust(options.trustProxy);
    if (options.tls !== undefined) this.setTlsIdentity(options.tls);
  }

  /** An acceptor that has loaded what it may have to speak: HTTP/2 costs some milliseconds of every start. */
  static async create(context: ServerContext, options: ServeOptions): Promise<Acceptor> {
    const { tls, http2 } = options;
    const speaksHttp2 = http2 === 'prior-knowledge' || (tls !== undefined && http2 !== false);
    const module = speaksHttp2 ? await import('./http2.js') : undefined;
    return new Acceptor(context, options, module?.serveHttp2);
  }

  setTlsIdentity(identity: TlsIdentity): void {
    const minVersion = this.#options.tls?.minVersion ?? 'TLSv1.2';
    try {
      this.#secureContext = createSecureContext({ ...identity, ...SERVER_OFFER, minVersion });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new NettoolError('TLS_HANDSHAKE', `the certificate or its key cannot be used (${reason})`, {
        cause,
      });
    }
  }

  /** Takes a connection that was just accepted. */
  accept(socket: Socket, isSecure: boolean): void {
    const peer = peerOf(socket);
    if (!this.#context.admits(peer)) {
      turnAway(socket, this.#context);
    } else if (this.#options.proxyProtocol === true) {
      this.#readProxyHeader(socket, peer, isSecure);
    } else {
      this.#start(socket, peer, isSecure);
    }
  }

  #readProxyHeader(socket: Socket, proxy: Peer, isSecure: boolean): void {
    if (this.#trusts !== undefined && !this.#trusts(proxy.remoteAddress)) {
      socket.destroy();
      return;
    }
    readFirst(socket, this.#context, parseProxyHeader, (header, bytes) => {
      if (header === null) {
        socket.destroy();
        return;
      }
      const rest = bytes.subarray(header.length);
      if (rest.length > 0) socket.unshift(rest);
      this.#start(socket, header.peer ?? proxy, isSecure);
    });
  }

  #start(socket: Socket, ends: Peer, isSecure: boolean): void {
    const peer = this.#trusts?.(ends.remoteAddress) === true ? { ...ends, trusts: this.#trusts } : ends;
    if (isSecure) {
      readFirst(socket, this.#context, isHandshake, (isTls, bytes) => {
        socket.unshift(bytes);
        if (isTls) this.#startTls(socket, peer);
        else redirectToTls(socket, this.#context, peer);
      });
    } else if (this.#options.http2 === 'prior-knowledge') {
      readFirst(socket, this.#context, isPreface, (isHttp2, bytes) => {
        if (isHttp2) this.#serveHttp2?.(socket, this.#context, peer, bytes);
        else serveHttp1(socket, this.#context, peer, bytes);
      });
    } else {
      serveHttp1(socket, this.#context, peer);
    }
  }

  #startTls(socket: Socket, peer: Peer): void {
    const { clock, timers } = this.#context;
    const ALPNProtocols = this.#options.http2 === false ? ['http/1.1'] : ['h2', 'http/1.1'];
    const secure = new TLSSocket(socket, {
      isServer: true,
      ALPNProtocols,
      ...(this.#secureContext !== undefined && { secureContext: this.#secureContext }),
    });
    const timed = { deadline: clock.after(timers.headMs), onDeadline: () => socket.destroy() };
    clock.watch(timed);
    // A handshake that fails is the client's affair.
    secure.on('error', () => secure.destroy());
    secure.once('close', () => clock.unwatch(timed));
    const onEnd = (): void => void secure.destroy();
    secure.once('end', onEnd);
    secure.once('secure', () => {
      clock.unwatch(timed);
      secure.off('end', onEnd);
      // As tls.Server does: node:http2 waits for it. (A tls.Server would not tell whose PROXY header this was.)
      Object.assign(secure, { secureConnecting: false });
      if (secure.alpnProtocol === 'h2') this.#serveHttp2?.(secure, this.#context, peer);
      else serveHttp1(secure, this.#context, peer);
    });
  }
}

/** The first byte of every TLS handshake. */
function isHandshake(bytes: Buffer): boolean {
  return bytes[0] === 0x16;
}

function isPreface(bytes: Buffer): boolean | undefined {
  const begun = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.compare(bytes, 0, begun, 0, begun) !== 0) return false;
  return begun === PREFACE.length ? true : undefined;
}

/** What every plain connection reads into: it is emptied before the next one's turn. */
const sharedBuffer = Buffer.allocUnsafeSlow(65_536);

/** Speaks HTTP/1 on a socket; `first` are bytes that were read from it already. */
function serveHttp1(socket: Socket, context: ServerContext, peer: Peer, first?: Buffer): void {
  const isNew = first === undefined && socket.readableLength === 0 && !('encrypted' in socket);
  const fast = isNew ? toFastSocket(socket) : undefined;
  const connection = new Connection(fast?.socket ?? socket, context, peer);
  context.opened(connection);
  if (fast !== undefined) {
    fast.start(connection);
    return;
  }
  if (first !== undefined) socket.unshift(first);
  const onData = (bytes: Buffer): void => {
    connection.receive(bytes, bytes.length);
  };
  connection.detach = () => socket.off('data', onData);
  socket.on('data', onData);
  socket.resume();
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
  // The server counts its connections by this.
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

/** Both ends of an accepted socket. A TCP peer that has reset by now has no address, and is no Unix socket for that. */
function peerOf(socket: Socket): Peer {
  const { remoteAddress = socket.localAddress === undefined ? '' : '0.0.0.0' } = socket;
  return {
    remoteAddress: normalizeAddress(remoteAddress),
    remotePort: socket.remotePort ?? 0,
    localAddress: normalizeAddress(socket.localAddress ?? ''),
    localPort: socket.localPort ?? 0,
  };
}
