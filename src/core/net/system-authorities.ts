import { getCACertificates } from 'node:tls';

/** Certificates to trust: the built-in ones, those of `NODE_EXTRA_CA_CERTS` and the system's (`SSL_CERT_FILE`). */
export function systemAuthorities(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}
