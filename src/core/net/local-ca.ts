import { createHash, createPrivateKey, type webcrypto as WebCrypto, X509Certificate } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type NettoolError, toNettoolError } from '../errors.js';
import { listMachineNames } from './machine-names.js';
import { openPrivateFolder, readIfThere, withLock, writeWhole } from './private-folder.js';
import { createSelfSigned, type SelfSigned } from './self-signed.js';
import { ALGORITHM, exportKey, generateKeys, loadX509, randomSerial, toAlternativeNames } from './x509.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Clocks differ: what is made now must be valid for a peer that is a little behind. */
const BACKDATE_MS = DAY_MS;
const CA_DAYS = 3650;
/** Apple accepts 825 days at most below an authority of one's own. */
const LEAF_DAYS = 90;
/** With less left, a certificate is made anew. */
const RENEW_DAYS = 30;

/** The certificate of this machine's own authority for its names, with its key. */
export interface LocalIdentity extends SelfSigned {
  /** What the certificate is for. */
  readonly names: readonly string[];
  /** When a server that still runs then should ask again. */
  readonly renewAt: Date;
  /** The authority's certificate, for browsers to trust; undefined when there is none. */
  readonly caPath?: string;
  /** Why there is no authority, and the certificate vouches for itself. */
  readonly failure?: NettoolError;
}

interface Authority {
  readonly pem: string;
  readonly certificate: X509Certificate;
  readonly key: string;
}

/**
 * A certificate for every name and address of this machine and `hosts`, by an authority that is made once and kept in
 * a folder, as the certificate is until it is about to expire. Where nothing can be kept, one that vouches for itself.
 */
export async function createLocalIdentity(
  folder: string,
  hosts: readonly string[] = [],
  now: Date = new Date(),
): Promise<LocalIdentity> {
  const names = listMachineNames(hosts);
  const caPath = join(folder, 'ca.crt');
  try {
    await openPrivateFolder(folder);
    const kept = await readKept(folder, names, now);
    const { ca, leaf } = kept ?? (await withLock(folder, () => ensure(folder, names, now)));
    return { ...toIdentity(ca, leaf), names, caPath };
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
    const failure = toNettoolError(error, `cannot keep an authority in ${folder}`);
    const identity = await createSelfSigned(names);
    return { ...identity, names, failure, renewAt: renewalOf(new X509Certificate(identity.cert)) };
  }
}

interface Pair {
  readonly ca: Authority;
  readonly leaf: Authority;
}

/** What there is, when all of it is good. */
async function readKept(folder: string, names: readonly string[], now: Date): Promise<Pair | undefined> {
  const ca = await readPair(join(folder, 'ca.pem'), now, LEAF_DAYS);
  if (ca?.certificate.ca !== true || (await readIfThere(join(folder, 'ca.crt'))) !== ca.pem) return undefined;
  const leaf = await readPair(leafPath(folder, names), now, RENEW_DAYS);
  if (leaf?.certificate.verify(ca.certificate.publicKey) !== true) return undefined;
  return { ca, leaf };
}

/** What there is, and anew what is missing, broken or about to expire. */
async function ensure(folder: string, names: readonly string[], now: Date): Promise<Pair> {
  const kept = await readKept(folder, names, now);
  // Another process was quicker.
  if (kept !== undefined) return kept;
  const known = await readPair(join(folder, 'ca.pem'), now, LEAF_DAYS);
  const ca = known?.certificate.ca === true ? known : await makeAuthority(now);
  if (ca !== known) await writeWhole(join(folder, 'ca.pem'), `${ca.key}${ca.pem}`);
  await writeWhole(join(folder, 'ca.crt'), ca.pem, 0o644);
  const leaf = await makeLeaf(ca, names, now);
  await writeWhole(leafPath(folder, names), `${leaf.key}${leaf.pem}`);
  await removeOldLeaves(folder, now);
  return { ca, leaf };
}

/** One file for each set of names: servers with other hosts do not take turns at replacing each other's. */
function leafPath(folder: string, names: readonly string[]): string {
  const hash = createHash('sha256')
    .update([...names].sort().join('\n'))
    .digest('hex');
  return join(folder, `leaf-${hash.slice(0, 16)}.pem`);
}

/** A key and its certificate from one file; undefined unless they fit and are good for so many more days. */
async function readPair(path: string, now: Date, days: number): Promise<Authority | undefined> {
  const text = await readIfThere(path);
  const pem = text?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/)?.[0];
  const key = text?.match(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/)?.[0];
  if (pem === undefined || key === undefined) return undefined;
  try {
    const certificate = new X509Certificate(pem);
    const isGood =
      certificate.validToDate.getTime() - now.getTime() > days * DAY_MS &&
      certificate.validFromDate <= now &&
      certificate.checkPrivateKey(createPrivateKey(key));
    return isGood ? { pem, certificate, key } : undefined;
  } catch {
    return undefined;
  }
}

async function makeAuthority(now: Date): Promise<Authority> {
  const { x509, webcrypto } = await loadX509();
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomSerial(),
      // The day tells apart an authority and the one that has replaced it.
      name: `CN=nettool CA of ${hostname().replace(/[^\w.-]/g, '_')} ${now.toISOString().slice(0, 10)}, O=nettool`,
      notBefore: new Date(now.getTime() - BACKDATE_MS),
      notAfter: new Date(now.getTime() + CA_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(
          keys.publicKey as CryptoKey,
          false,
          toCrypto(webcrypto),
        ),
      ],
    },
    toCrypto(webcrypto),
  );
  return toAuthority(certificate.toString('pem'), await exportKey(keys.privateKey));
}

async function makeLeaf(ca: Authority, names: readonly string[], now: Date): Promise<Authority> {
  const { x509, webcrypto } = await loadX509();
  const crypto = toCrypto(webcrypto);
  const keys = await generateKeys();
  const issuer = new x509.X509Certificate(ca.pem);
  const der = createPrivateKey(ca.key).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: randomSerial(),
      subject: `CN=${names[0]}, O=nettool`,
      issuer: issuer.subjectName,
      notBefore: new Date(now.getTime() - BACKDATE_MS),
      notAfter: new Date(now.getTime() + LEAF_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      signingKey: signingKey as CryptoKey,
      publicKey: keys.publicKey as CryptoKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(toAlternativeNames(names)),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as CryptoKey, false, crypto),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, crypto),
      ],
    },
    crypto,
  );
  return toAuthority(certificate.toString('pem'), await exportKey(keys.privateKey));
}

/** The library's types are those of browsers. */
function toCrypto(webcrypto: typeof WebCrypto): Crypto {
  return webcrypto as unknown as Crypto;
}

function toAuthority(text: string, key: string): Authority {
  const pem = `${text.trim()}\n`;
  return { pem, key, certificate: new X509Certificate(pem) };
}

function toIdentity(ca: Authority, leaf: Authority): SelfSigned & { renewAt: Date } {
  const { certificate, pem, key } = leaf;
  const renewAt = renewalOf(certificate);
  return { cert: `${pem}${ca.pem}`, key, fingerprint: certificate.fingerprint256, renewAt };
}

/** When a certificate is to be made anew. */
export function renewalOf(certificate: X509Certificate): Date {
  return new Date(certificate.validToDate.getTime() - RENEW_DAYS * DAY_MS);
}

/** Addresses come and go, and leave certificates behind. */
async function removeOldLeaves(folder: string, now: Date): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^leaf-[0-9a-f]+\.pem$/.test(name)) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    if (now.getTime() - mtimeMs > LEAF_DAYS * DAY_MS) await rm(path, { force: true });
  }
}
