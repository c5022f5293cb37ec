import { createReadStream } from 'node:fs';
import { NettoolError } from '../core/errors.js';
import type { Checksum } from './output-flags.js';

/** Hashes what passes, and says whether it is what it has to be. */
export interface Verifier {
  observe(bytes: Buffer): void;
  /** Takes the beginning that is in a file already. */
  observeFile(path: string, sizeBytes?: number): Promise<void>;
  /** `CHECKSUM` when the hash is another one. */
  verify(): void;
  digest(): string;
}

/** A {@link Verifier} for one body. */
export async function createVerifier({ algorithm, hex }: Checksum): Promise<Verifier> {
  const { createHash } = await import('node:crypto');
  const hash = createHash(algorithm);
  let result: string | undefined;
  const digest = (): string => {
    result ??= hash.digest('hex');
    return result;
  };
  return {
    observe: (bytes) => void hash.update(bytes),
    async observeFile(path, sizeBytes) {
      const end = sizeBytes === undefined ? {} : { end: sizeBytes - 1 };
      for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, ...end })) {
        hash.update(chunk as Buffer);
      }
    },
    digest,
    verify() {
      if (digest() === hex) return;
      throw new NettoolError('CHECKSUM', `the body is not what it should be (${algorithm} is ${digest()})`, {
        hint: `expected ${hex}`,
      });
    },
  };
}
