import { createHash, timingSafeEqual } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { matchesBcrypt } from './bcrypt.js';
import { md5Crypt, shaCrypt } from './crypt.js';

/** What is kept of a password: it tells the right one, but cannot be turned back into it. */
export interface PasswordHash {
  /** Made so that every guess takes its time; then the answer comes later, unless the same password was right before. */
  readonly isSlow: boolean;
  matches(password: string): boolean | Promise<boolean>;
}

type Check = (password: string) => Promise<boolean>;

/** Longer ones are nobody's, and some methods take the square of the length. */
const MOST_BYTES = 512;

/** How long a guess may keep everything else waiting. */
const SLICE_MS = 5;

/** What `htpasswd`, `openssl passwd` and `mkpasswd` write, `sha256:HEX` and `sha512:HEX`; undefined for anything else. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const hex = /^(sha256|sha512):([0-9a-f]+)$/i.exec(text);
  if (hex !== null) {
    const algorithm = (hex[1] as string).toLowerCase();
    const digest = Buffer.from(hex[2] as string, 'hex');
    return digest.length === (algorithm === 'sha256' ? 32 : 64) ? quick(algorithm, digest) : undefined;
  }
  const sha1 = /^\{(S?)SHA\}([A-Za-z0-9+/]+=*)$/.exec(text);
  if (sha1 !== null) {
    const bytes = Buffer.from(sha1[2] as string, 'base64');
    const isSalted = sha1[1] !== '';
    if (isSalted ? bytes.length <= 20 : bytes.length !== 20) return undefined;
    return quick('sha1', bytes.subarray(0, 20), bytes.subarray(20));
  }
  if (/^\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/.test(text)) {
    return slow((password) => matchesBcrypt(password, text));
  }
  const crypt =
    /^(?<start>(?<magic>\$(?:apr1|1|5|6)\$)(?:rounds=(?<rounds>\d{1,9})\$)?(?<salt>[^$:]{0,16})\$)[./A-Za-z0-9]+$/;
  const { start = '', magic = '', rounds, salt = '' } = crypt.exec(text)?.groups ?? {};
  if (start === '') return undefined;
  const method = magic === '$5$' || magic === '$6$' ? shaCrypt : md5Crypt;
  return slow(async (password) => {
    const digest = await patiently(method(password, { magic, rounds, salt }));
    return isSame(Buffer.from(start + digest), Buffer.from(text));
  });
}

/** A password as it is, which is not kept. */
export function hashPassword(password: string): PasswordHash {
  return quick('sha256', digestOf('sha256', password));
}

function quick(algorithm: string, digest: Buffer, salt: Buffer = Buffer.alloc(0)): PasswordHash {
  return {
    isSlow: false,
    matches: (password) => timingSafeEqual(digestOf(algorithm, password, salt), digest),
  };
}

function slow(check: Check): PasswordHash {
  // Browsers send it with every request.
  let right: Buffer | undefined;
  const isRight = (digest: Buffer): boolean => right !== undefined && timingSafeEqual(digest, right);
  return {
    isSlow: true,
    matches(password) {
      const digest = digestOf('sha256', password);
      if (isRight(digest)) return true;
      if (Buffer.byteLength(password) > MOST_BYTES) return false;
      return inTurn(async () => {
        if (isRight(digest)) return true;
        const fits = await check(password);
        if (fits) right = digest;
        return fits;
      });
    },
  };
}

function isSame(computed: Buffer, expected: Buffer): boolean {
  return computed.length === expected.length && timingSafeEqual(computed, expected);
}

let last: Promise<unknown> = Promise.resolve();

/** One guess after the other: however many there are, they take the same part of the time. */
function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
  const result = last.then(work);
  last = result.catch(() => {});
  return result;
}

/** Lets everything else have its turn between the pieces of a computation. */
async function patiently<Value>(steps: Generator<void, Value>): Promise<Value> {
  let since = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - since < SLICE_MS) continue;
    await nextTurn();
    since = performance.now();
  }
}

function digestOf(algorithm: string, password: string, salt: Buffer = Buffer.alloc(0)): Buffer {
  return createHash(algorithm).update(password).update(salt).digest();
}
