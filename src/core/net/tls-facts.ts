import type { Socket } from 'node:net';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { TlsFacts } from './socket-events.js';

/** What was agreed on in a TLS handshake, and who the peer says it is; `undefined` without TLS. */
export function describeTls(socket: Socket): TlsFacts | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher()?.name ?? '',
    alpn: socket.alpnProtocol || null,
    chain: toChain(socket.getPeerCertificate(true)),
  };
}

function toChain(first: DetailedPeerCertificate): TlsFacts['chain'] {
  const chain: Array<TlsFacts['chain'][number]> = [];
  const seen = new Set<string>();
  // A root's issuer is itself.
  for (let at = first; at?.fingerprint256 && !seen.has(at.fingerprint256); at = at.issuerCertificate) {
    seen.add(at.fingerprint256);
    chain.push({
      subject: formatName(at.subject),
      issuer: formatName(at.issuer),
      validTo: new Date(at.valid_to).toISOString(),
      fingerprint: at.fingerprint256,
    });
  }
  return chain;
}

function formatName(name: object | undefined): string {
  return Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
