import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, as files. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority and what it signs, made by openssl in a folder. */
export function createAuthority(folder: string, name = 'ca') {
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  );
  return {
    cert: at(`${name}.crt`),
    /** Signs a certificate for names; with a passphrase its key is encrypted. */
    sign(subject: string, names: string, passphrase?: string): TestCertificate {
      const seal = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`];
      openssl(
        'req',
        ...newKey,
        ...seal,
        '-keyout',
        `${subject}.key`,
        '-out',
        `${subject}.csr`,
        '-subj',
        `/CN=${subject}`,
        '-addext',
        `subjectAltName=${names}`,
      );
      openssl(
        'x509',
        '-req',
        '-in',
        `${subject}.csr`,
        '-CA',
        `${name}.crt`,
        '-CAkey',
        `${name}.key`,
        '-CAcreateserial',
        '-out',
        `${subject}.crt`,
        '-days',
        '2',
        '-copy_extensions',
        'copy',
      );
      return { cert: at(`${subject}.crt`), key: at(`${subject}.key`) };
    },
    read: (file: string): Buffer => readFileSync(file),
  };
}
