import { createHash } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { NettoolError, toNettoolError } from '../errors.js';
import { type Identity, type TlsVersion, toMinVersion } from './tls.js';
import { describeCertificate, hintOfHandshake } from './tls-problem.js';

/** How the client end of TLS is set up. */
export interface TlsClientOptions {
  /** Certificates to trust instead of the built-in ones, PEM. */
  readonly ca?: string | readonly string[] | undefined;
  /** Speak to whoever answers: the certificate is not checked. */
  readonly insecure?: boolean | undefined;
  /** The protocols offered (ALPN), best first. */
  readonly alpn?: readonly string[] | undefined;
  /** The name asked for (SNI) and looked for in the certificate, instead of the host's. */
  readonly servername?: string | undefined;
  /** Our own certificate, for servers that ask for one. */
  readonly identity?: Identity | undefined;
  readonly minVersion?: TlsVersion | undefined;
  /** The ciphers offered, as OpenSSL writes such lists. */
  readonly ciphers?: string | undefined;
  /** SHA-256 hashes (base64) of public keys, one of which the peer's has to be. */
  readonly pins?: readonly string[] | undefined;
}

/** Whom the handshake is with. */
export interface TlsPeer {
  /** The name the certificate has to be for, or an address. */
  readonly host: string;
  /** The peer as messages call it: `example.org:443`. */
  readonly name: string;
  readonly signal: AbortSignal;
}

/** Takes a connected socket through the TLS handshake; the socket is destroyed when that fails. */
export function startTls(socket: Socket, peer: TlsPeer, options: TlsClientOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const name = options.servername ?? peer.host;
    const secure = connect({
      socket,
      host: name,
      // SNI carries names only (RFC 6066, section 3).
      servername: isIP(name) === 0 ? name : '',
      // Checked below, where the certificate can be looked at to say what is wrong with it.
      rejectUnauthorized: false,
      ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
      ...(options.ca === undefined ? {} : { ca: [options.ca].flat() }),
      ...(options.ciphers === undefined ? {} : { ciphers: options.ciphers }),
      ...options.identity,
      ...toMinVersion(options.minVersion),
    });
    const fail = (error: unknown): void => {
      peer.signal.removeEventListener('abort', onAbort);
      secure.destroy();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(peer.signal.reason);
    peer.signal.addEventListener('abort', onAbort, { once: true });
    // Stays after the handshake, when failing has no effect any more: the new owner may not listen yet.
    secure.on('error', (error) => fail(toHandshakeError(error, peer, options)));
    secure.once('secureConnect', () => {
      if (!secure.authorized && options.insecure !== true)
        return fail(toCertificateError(secure, { ...peer, host: name }));
      if (options.pins !== undefined && !isPinned(secure, options.pins))
        return fail(toPinError(secure, peer));
      peer.signal.removeEventListener('abort', onAbort);
      resolve(secure);
    });
  });
}

/** Whatever breaks before the handshake is through is the handshake's failure, also a reset or an early end. */
function toHandshakeError(error: Error, { name }: TlsPeer, options: TlsClientOptions): NettoolError {
  const failure = toNettoolError(error);
  const words = failure.code === 'INTERNAL' ? error.message : failure.message;
  const hint = hintOfHandshake(String((error as NodeJS.ErrnoException).code), options);
  return new NettoolError('TLS_HANDSHAKE', `no TLS handshake with ${name} (${words})`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

function toCertificateError(socket: TLSSocket, { name, host }: TlsPeer): NettoolError {
  const { problem, hint } = describeCertificate(socket, host);
  return new NettoolError('TLS_CERTIFICATE', `the certificate of ${name} is not trusted: ${problem}`, {
    hint,
    cause: socket.authorizationError,
  });
}

/** The hash of the peer's public key (SubjectPublicKeyInfo), as curl and RFC 7469 write it. */
function hashOfKey(socket: TLSSocket): string {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
  return key === undefined ? '' : createHash('sha256').update(key).digest('base64');
}

function isPinned(socket: TLSSocket, pins: readonly string[]): boolean {
  return pins.includes(hashOfKey(socket));
}

function toPinError(socket: TLSSocket, { name }: TlsPeer): NettoolError {
  return new NettoolError('TLS_CERTIFICATE', `the public key of ${name} is not a pinned one`, {
    hint: `it is sha256//${hashOfKey(socket)}`,
  });
}
