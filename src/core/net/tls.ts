import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { NettoolError, toNettoolError } from '../errors.js';

/** The lowest TLS version that is spoken. */
export type TlsVersion = '1.2' | '1.3';

/** A certificate (its chain after it) and its private key, PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** Node's own name of a version; nothing when none is asked for, which leaves Node's default (1.2). */
export function toMinVersion(version: TlsVersion | undefined): { minVersion?: 'TLSv1.2' | 'TLSv1.3' } {
  return version === undefined ? {} : { minVersion: `TLSv${version}` };
}

/**
 * What our servers offer beside TLS 1.3: forward secrecy and authenticated encryption only (RFC 9325, section 4.2; HTTP/2
 * forbids the rest, RFC 9113, appendix A). No renegotiation: a client could have us compute for nothing.
 */
export const SERVER_OFFER = {
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/** Reads a certificate and its key, both PEM, and makes sure they belong together; the key may be in the same file. */
export async function readIdentity(certPath: string, keyPath: string = certPath): Promise<Identity> {
  const cert = await readText(certPath, 'certificate');
  const key = keyPath === certPath ? cert : await readText(keyPath, 'key');
  const certificate = parseCertificate(cert, certPath);
  const privateKey = parseKey(key, keyPath);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new NettoolError(
      'INPUT_FAILED',
      `the key in ${keyPath} does not belong to the certificate in ${certPath}`,
    );
  }
  return { cert, key };
}

/** Reads certificates to trust (`--cacert`), PEM. */
export async function readAuthorities(path: string): Promise<string> {
  const text = await readText(path, 'CA certificate');
  parseCertificate(text, path);
  return text;
}

/** The SHA-256 fingerprint of the first certificate in a PEM text, as `openssl x509 -fingerprint` writes it. */
export function fingerprintOf(cert: string): string {
  return new X509Certificate(cert).fingerprint256;
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw toNettoolError(error, `cannot read the ${what} ${path}`);
  }
}

function parseCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new NettoolError('INPUT_FAILED', `there is no certificate in ${path}`, {
      cause,
      hint: 'a PEM file is needed, with a line -----BEGIN CERTIFICATE-----',
    });
  }
}

function parseKey(pem: string, path: string) {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    const encrypted = /ENCRYPTED/.test(pem);
    throw new NettoolError(
      'INPUT_FAILED',
      encrypted ? `the private key in ${path} is encrypted` : `there is no private key in ${path}`,
      {
        cause,
        hint: encrypted
          ? `take the passphrase off with  openssl pkey -in ${path} -out plain.pem`
          : 'a PEM file is needed, with a line -----BEGIN PRIVATE KEY-----',
      },
    );
  }
}
