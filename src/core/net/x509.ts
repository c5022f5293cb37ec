import { randomBytes, type webcrypto as WebCrypto } from 'node:crypto';
import { isIP } from 'node:net';

/** ECDSA on P-256: small, quick, and spoken by every client. */
export const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** What makes and reads certificates; loaded only by who needs it. */
export async function loadX509() {
  // The library's decorators need Reflect.metadata to be there when it is loaded.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const { webcrypto, X509Certificate } = await import('node:crypto');
  return { x509, webcrypto, X509Certificate };
}

/** A new pair of keys for {@link ALGORITHM}. */
export async function generateKeys(): Promise<WebCrypto.CryptoKeyPair> {
  const { webcrypto } = await import('node:crypto');
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  return keys as WebCrypto.CryptoKeyPair;
}

/** Names and addresses as a certificate lists them. */
export function toAlternativeNames(names: readonly string[]): { type: 'dns' | 'ip'; value: string }[] {
  return names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }));
}

/** Positive and without a leading zero byte (RFC 5280, section 4.1.2.2). */
export function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

/** A private key as PEM (PKCS 8). */
export async function exportKey(key: WebCrypto.CryptoKey): Promise<string> {
  const { webcrypto } = await import('node:crypto');
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}
