import { hash } from 'node:crypto';

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Rounds between two pauses. */
const PAUSE_ROUNDS = 200;

const MD5_ROUNDS = 1000;
const SHA_ROUNDS = 5000;

/** The part of a setting that matters to the method. */
export interface CryptSetting {
  /** `$apr1$`, `$1$`, `$5$` or `$6$`. */
  readonly magic: string;
  readonly salt: string;
  /** Of `$5$` and `$6$`, when it is given. */
  readonly rounds: string | undefined;
}

/** What the rounds of all these methods are made of. */
interface Round {
  readonly algorithm: string;
  readonly count: number;
  readonly password: Buffer;
  readonly salt: Buffer;
}

/** The digest of a password as Apache's htpasswd and FreeBSD's crypt make it with MD5. */
export function* md5Crypt(text: string, { magic, salt }: CryptSetting): Generator<void, string> {
  const password = Buffer.from(text);
  const inner = digest('md5', [password, salt, password]);
  const parts: Array<Buffer | string> = [password, magic, salt, repeat(inner, password.length)];
  for (let bits = password.length; bits > 0; bits >>= 1) {
    parts.push((bits & 1) === 1 ? '\0' : password.subarray(0, 1));
  }
  const start = digest('md5', parts);
  const round: Round = { algorithm: 'md5', count: MD5_ROUNDS, password, salt: Buffer.from(salt) };
  const bytes = yield* turn(start, round);
  const order = [0, 1, 2, 3, 4].flatMap((at) => [at, at + 6, at === 4 ? 5 : at + 12]);
  return encode(bytes, [...order, 11]);
}

/** The digest of a password by Drepper's method with SHA-256 (`$5$`) or SHA-512 (`$6$`). */
export function* shaCrypt(text: string, { magic, salt, rounds }: CryptSetting): Generator<void, string> {
  const algorithm = magic === '$5$' ? 'sha256' : 'sha512';
  const password = Buffer.from(text);
  const inner = digest(algorithm, [password, salt, password]);
  const parts: Array<Buffer | string> = [password, salt, repeat(inner, password.length)];
  for (let bits = password.length; bits > 0; bits >>= 1) parts.push((bits & 1) === 1 ? inner : password);
  const start = digest(algorithm, parts);
  const saltDigest = digest(algorithm, [salt.repeat(16 + (start[0] as number))]);
  const bytes = yield* turn(start, {
    algorithm,
    count: rounds === undefined ? SHA_ROUNDS : Math.min(Math.max(Number(rounds), 1000), 999_999_999),
    password: repeat(digest(algorithm, [Buffer.alloc(password.length ** 2, password)]), password.length),
    salt: repeat(saltDigest, salt.length),
  });
  return encode(bytes, shaOrder(algorithm));
}

/** The many rounds that make guessing slow. */
function* turn(start: Buffer, { algorithm, count, password, salt }: Round): Generator<void, Buffer> {
  let bytes = start;
  for (let round = 0; round < count; round += 1) {
    const isOdd = round % 2 === 1;
    const parts = [isOdd ? password : bytes];
    if (round % 3 !== 0) parts.push(salt);
    if (round % 7 !== 0) parts.push(password);
    parts.push(isOdd ? bytes : password);
    bytes = digest(algorithm, parts);
    if (round % PAUSE_ROUNDS === 0) yield;
  }
  return bytes;
}

/** Three bytes a third of the digest apart each, by turns in another order; then what is left. */
function shaOrder(algorithm: string): number[] {
  const isShort = algorithm === 'sha256';
  let three = isShort ? [0, 10, 20] : [0, 21, 42];
  const order: number[] = [];
  for (let left = isShort ? 10 : 21; left > 0; left -= 1) {
    order.push(...three);
    const [a = 0, b = 0, c = 0] = three;
    three = isShort ? [c + 1, a + 1, b + 1] : [b + 1, c + 1, a + 1];
  }
  return [...order, ...(isShort ? [31, 30] : [63])];
}

/** Three bytes, the first highest, as four digits, the lowest first; one or two at the end as two or three. */
function encode(bytes: Buffer, order: readonly number[]): string {
  let text = '';
  for (let at = 0; at < order.length; at += 3) {
    const three = order.slice(at, at + 3).map((index) => bytes[index] as number);
    let value = three.reduce((sum, byte) => sum * 256 + byte, 0);
    for (let digit = 0; digit <= three.length; digit += 1) {
      text += ALPHABET.charAt(value & 63);
      value >>= 6;
    }
  }
  return text;
}

function digest(algorithm: string, parts: ReadonlyArray<Buffer | string>): Buffer {
  return hash(
    algorithm,
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))),
    'buffer',
  );
}

/** The bytes again and again, up to a length. */
function repeat(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}
