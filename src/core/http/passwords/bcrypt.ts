/** How many bytes of a password count. */
const KEY_BYTES = 72;

const ROUND_KEYS = 18;
const BOX_WORDS = 4 * 256;

/** What is enciphered with the key in the end. */
const TEXT = Buffer.from('OrpheanBeholderScryDoubt');
const TEXT_TIMES = 64;

/** The last byte of the result is left out, and always was. */
const DIGEST_BYTES = 23;

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/**
 * The bcrypt digest of a password under a setting of 29 characters, `$2y$10$` and the salt (Provos and Mazières, "A
 * Future-Adaptable Password Scheme", 1999). Pauses at every yield: it is slow on purpose.
 */
export function* bcrypt(password: string, setting: string): Generator<void, string> {
  const salt = toWords(decode(setting.slice(7, 29)), 4);
  const key = toWords(Buffer.from(`${password}\0`).subarray(0, KEY_BYTES), ROUND_KEYS);
  const saltKey = Int32Array.from({ length: ROUND_KEYS }, (_, index) => salt[index % 4] as number);
  const cipher = new Blowfish();
  cipher.expand(key, salt);
  const nothing = new Int32Array(4);
  for (let left = 2 ** Number(setting.slice(4, 6)); left > 0; left -= 1) {
    cipher.expand(key, nothing);
    cipher.expand(saltKey, nothing);
    yield;
  }
  const words = toWords(TEXT, TEXT.length / 4);
  for (let at = 0; at < words.length; at += 2) {
    for (let time = 0; time < TEXT_TIMES; time += 1) cipher.encipher(words, at);
  }
  const digest = Buffer.alloc(TEXT.length);
  words.forEach((word, index) => void digest.writeInt32BE(word, index * 4));
  return setting + encode(digest.subarray(0, DIGEST_BYTES));
}

/** Blowfish as bcrypt uses it. */
class Blowfish {
  readonly #keys: Int32Array;
  readonly #boxes: Int32Array;

  constructor() {
    digitsOfPi ??= computePi();
    const pi = digitsOfPi;
    this.#keys = pi.slice(0, ROUND_KEYS);
    this.#boxes = pi.slice(ROUND_KEYS);
  }

  /** Mixes a key and a salt into the state. */
  expand(key: Int32Array, salt: Int32Array): void {
    const keys = this.#keys;
    for (let index = 0; index < ROUND_KEYS; index += 1) keys[index] = (keys[index] ?? 0) ^ (key[index] ?? 0);
    const block = new Int32Array(2);
    let at = 0;
    for (const words of [keys, this.#boxes]) {
      for (let index = 0; index < words.length; index += 2) {
        block[0] = (block[0] ?? 0) ^ (salt[at] ?? 0);
        block[1] = (block[1] ?? 0) ^ (salt[at + 1] ?? 0);
        at = 2 - at;
        this.encipher(block, 0);
        words.set(block, index);
      }
    }
  }

  /** Enciphers two words where they are. */
  encipher(words: Int32Array, at: number): void {
    const keys = this.#keys;
    const boxes = this.#boxes;
    let left = words[at] as number;
    let right = words[at + 1] as number;
    for (let round = 0; round < 16; round += 1) {
      left ^= keys[round] as number;
      const high = ((boxes[left >>> 24] as number) + (boxes[256 + ((left >>> 16) & 255)] as number)) | 0;
      const mixed = high ^ (boxes[512 + ((left >>> 8) & 255)] as number);
      const next = right ^ ((mixed + (boxes[768 + (left & 255)] as number)) | 0);
      right = left;
      left = next;
    }
    words[at] = right ^ (keys[17] as number);
    words[at + 1] = left ^ (keys[16] as number);
  }
}

let digitsOfPi: Int32Array | undefined;

/** What Blowfish begins with: the fraction of π in binary, by Machin's formula 16·atan(1/5) − 4·atan(1/239). */
function computePi(): Int32Array {
  const bits = 32n * BigInt(ROUND_KEYS + BOX_WORDS);
  // Each of the thousands of terms is cut a little.
  const spare = 32n;
  const arctangent = (inverse: bigint): bigint => {
    let power = (1n << (bits + spare)) / inverse;
    let sum = power;
    for (let term = 1n; power > 0n; term += 1n) {
      power /= inverse * inverse;
      sum += (term % 2n === 0n ? power : -power) / (2n * term + 1n);
    }
    return sum;
  };
  const pi = (16n * arctangent(5n) - 4n * arctangent(239n)) >> spare;
  const hex = (pi & ((1n << bits) - 1n)).toString(16).padStart(Number(bits) / 4, '0');
  return toWords(Buffer.from(hex, 'hex'), ROUND_KEYS + BOX_WORDS);
}

/** Bytes as big-endian words, from the beginning again when they do not suffice. */
function toWords(bytes: Buffer, count: number): Int32Array {
  const byte = (index: number): number => bytes[index % bytes.length] as number;
  return Int32Array.from(
    { length: count },
    (_, index) =>
      (byte(4 * index) << 24) |
      (byte(4 * index + 1) << 16) |
      (byte(4 * index + 2) << 8) |
      byte(4 * index + 3),
  );
}

function encode(bytes: Buffer): string {
  const text = bytes.toString('base64').replaceAll('=', '');
  return text.replace(/./g, (digit) => ALPHABET.charAt(BASE64.indexOf(digit)));
}

function decode(text: string): Buffer {
  return Buffer.from(
    text.replace(/./g, (digit) => BASE64.charAt(ALPHABET.indexOf(digit))),
    'base64',
  );
}
