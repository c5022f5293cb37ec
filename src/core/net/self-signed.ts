import type { Identity } from './tls.js';
import { ALGORITHM, exportKey, generateKeys, loadX509, randomSerial, toAlternativeNames } from './x509.js';

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
  const { x509, webcrypto, X509Certificate } = await loadX509();
  const keys = await generateKeys();
  const names = [...new Set([...hosts.filter((host) => !/^[0:.]*$/.test(host)), ...LOCAL_NAMES])];
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(),
      name: `CN=${names[0]?.replace(/[^\w.:-]/g, '_')}`,
      notBefore: new Date(Date.now() - BACKDATE_MS),
      notAfter: new Date(Date.now() + VALID_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        // A CA, so that the certificate itself can be given to --cacert; for nothing below it.
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign,
          true,
        ),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(toAlternativeNames(names)),
      ],
    },
    webcrypto as unknown as Crypto,
  );
  const cert = `${certificate.toString('pem')}\n`;
  return {
    cert,
    key: await exportKey(keys.privateKey),
    fingerprint: new X509Certificate(cert).fingerprint256,
  };
}
