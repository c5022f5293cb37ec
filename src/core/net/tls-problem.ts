import type { TLSSocket } from 'node:tls';

/** What is wrong with a certificate, and what can be done about it. */
export interface CertificateProblem {
  readonly problem: string;
  readonly hint: string;
}

/** What of a handshake's setup can explain its failure. */
interface Setup {
  readonly alpn?: readonly string[] | undefined;
  readonly identity?: unknown;
  readonly minVersion?: string | undefined;
}

/** What HTTP is called in a handshake (ALPN). */
const HTTP = ['h2', 'http/1.1'];

const SKIP = 'go without the check with --insecure';
const TRUST = `trust its issuer with --cacert FILE, or ${SKIP}`;

/** Says why a certificate that came with a handshake is not trusted for a host. */
export function describeCertificate(socket: TLSSocket, host: string): CertificateProblem {
  // Declared as an Error, but what is there is its code.
  const code = String(socket.authorizationError);
  const certificate = socket.getPeerCertificate();
  const issuer = certificate.issuer?.CN ?? certificate.issuer?.O ?? 'its issuer';
  const clock = `is the clock of this machine right? Or ${SKIP}`;
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return {
        problem: `it, or one it rests on, has expired (valid to ${certificate.valid_to})`,
        hint: clock,
      };
    case 'CERT_NOT_YET_VALID':
      return { problem: `it is not valid yet (valid from ${certificate.valid_from})`, hint: clock };
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return { problem: 'it is self-signed', hint: `trust it with --cacert FILE, or ${SKIP}` };
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return { problem: 'its chain ends in a root that is not known here', hint: TRUST };
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return { problem: `its issuer '${issuer}' is not known here`, hint: `${TRUST}${missingLink(socket)}` };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        problem: `it is for ${describeNames(certificate)}, not for ${host}`,
        hint: `ask by a name it is for, or ${SKIP}`,
      };
    default:
      return { problem: describeWeakness(socket) ?? code, hint: `the server needs another one, or ${SKIP}` };
  }
}

/** What explains a failed handshake by its code; `undefined` when its words have to do. */
export function hintOfHandshake(code: string, setup: Setup): string | undefined {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return 'the server may speak plain http, or something else that begins without TLS, on this port';
  }
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(code)) {
    return `the server does not speak TLS ${setup.minVersion ?? '1.2'} or newer`;
  }
  if (code.endsWith('NO_APPLICATION_PROTOCOL')) {
    const { alpn = [] } = setup;
    if (!alpn.every((name) => HTTP.includes(name)))
      return `the server speaks none of ${alpn.join(', ')} here`;
    return `the server does not speak ${alpn.includes('http/1.1') ? 'HTTP' : 'HTTP/2'} here`;
  }
  if (/HANDSHAKE_FAILURE|CERTIFICATE_REQUIRED|BAD_CERTIFICATE/.test(code) && setup.identity === undefined) {
    return 'the server may want a certificate of ours: --cert FILE --key FILE';
  }
  return undefined;
}

/** A server that sends its own certificate alone often forgets those between it and a root that is known. */
function missingLink(socket: TLSSocket): string {
  const issuer = socket.getPeerX509Certificate()?.issuerCertificate;
  return issuer === undefined ? '; or the server leaves out the certificates in between' : '';
}

/** OpenSSL refuses short keys and broken hashes, and Node has no word for either. */
function describeWeakness(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  const bits = certificate?.publicKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < 2048) return `its key is too short (${bits} bits)`;
  const algorithm = certificate?.signatureAlgorithm;
  return algorithm !== undefined && /sha1|md5/i.test(algorithm)
    ? `it is signed in a way that can be forged (${algorithm})`
    : undefined;
}

/** `DNS:a.example, IP Address:127.0.0.1` → `a.example, 127.0.0.1`. */
function describeNames(certificate: {
  subjectaltname?: string;
  subject?: { CN?: string | string[] };
}): string {
  const names = certificate.subjectaltname?.replaceAll(/(^|, )(DNS|IP Address):/g, '$1');
  return names ?? String(certificate.subject?.CN ?? 'no name at all');
}
