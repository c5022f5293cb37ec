import type { webcrypto as WebCrypto } from 'node:crypto';
import { isIP } from 'node:net';
import type { Identity } from './tls.js';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Clocks differ: a certificate made now must be valid for a peer that is a little behind. */
const BACKDATE_MS = DAY_MS;

/** What browsers accept at most is 398 days (CA/Browser Forum, 2020). */
const VALID_MS = 90 * DAY_MS;

/** Beside the asked-for names, what every machine calls itself. */
const LOCAL_NAMES: readonly string[] = ['localhost', '127.0.0.1', '::1'];

/** A certificate that vouches for itself, with its key. */
export interface SelfSigned extends Identity {
  /** SHA-256, as `openssl x509 -fingerprint` writes it. */
  readonly fingerprint: string;
}

/**
 * Makes a certificate on the spot (ECDSA P-256) for host names and addresses; `localhost` and the loopback
 * addresses are always among them. Wildcard addresses (`0.0.0.0`, `::`) are no one's name and are left out.
 */
export async function createSelfSigned(hosts: readonly string[] = []): Promise<SelfSigned> {
  // The library's decorators need Reflect.metadata to be there when it is loaded.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const { webcrypto, X509Certificate } = await import('node:crypto');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ])) as WebCrypto.CryptoKeyPair;
  const names = [...new Set([...hosts.filter((host) => !/^[0:.]*$/.test(host)), ...LOCAL_NAMES])];
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(webcrypto.getRandomValues(new Uint8Array(16))),
      name: `CN=${names[0]?.replace(/[^\w.:-]/g, '_')}`,
      notBefore: new Date(Date.now() - BACKDATE_MS),
      notAfter: new Date(Date.now() + VALID_MS),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        // A CA, so that the certificate itself can be given to --cacert; for nothing below it.
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign,
          true,
        ),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
        ),
      ],
    },
    webcrypto as unknown as Crypto,
  );
  const cert = `${certificate.toString('pem')}\n`;
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { cert, key: toPem(der), fingerprint: new X509Certificate(cert).fingerprint256 };
}

/** Positive and without a leading zero byte (RFC 5280, section 4.1.2.2). */
function randomSerial(bytes: Uint8Array): string {
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}
