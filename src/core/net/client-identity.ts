import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { NettoolError, toNettoolError } from '../errors.js';
import { type Identity, readIdentity } from './tls.js';

/** A client's certificate and key (PEM), the key decrypted with its passphrase when it is encrypted. */
export async function readClientIdentity(
  certPath: string,
  keyPath: string,
  passphrase: string | undefined,
): Promise<Identity> {
  if (passphrase === undefined) {
    return readIdentity(certPath, keyPath).catch((error: NettoolError) => {
      const hint = / is encrypted$/.test(error.message)
        ? 'give its passphrase: --key-pass env:NAME'
        : error.hint;
      return toInput(new NettoolError(error.code, error.message, { hint, cause: error.cause }));
    });
  }
  const [cert, sealed] = await Promise.all([readFile(certPath, 'utf8'), readFile(keyPath, 'utf8')]).catch(
    (error) => toInput(toNettoolError(error, 'cannot read the certificate or its key')),
  );
  const key = open(sealed, keyPath, passphrase);
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
  } catch (cause) {
    throw new NettoolError('INPUT_FAILED', `there is no certificate in ${certPath}`, { cause });
  }
  throw new NettoolError(
    'INPUT_FAILED',
    `the key in ${keyPath} does not belong to the certificate in ${certPath}`,
  );
}

function open(sealed: string, path: string, passphrase: string): string {
  try {
    return createPrivateKey({ key: sealed, passphrase }).export({ type: 'pkcs8', format: 'pem' }) as string;
  } catch (cause) {
    if (sealed.includes('-----BEGIN ')) {
      throw new NettoolError(
        'INPUT_FAILED',
        `the private key in ${path} does not open with this passphrase`,
        {
          cause,
        },
      );
    }
    throw new NettoolError('INPUT_FAILED', `there is no private key in ${path}`, {
      cause,
      hint: `a PEM file is needed; of a PKCS#12 file  openssl pkcs12 -in ${path} -out pair.pem  makes one`,
    });
  }
}

function toInput(error: unknown): never {
  const { message, hint, cause } = toNettoolError(error);
  throw new NettoolError('INPUT_FAILED', message, { hint, cause });
}
