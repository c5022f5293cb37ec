import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import type { PartialContent } from './content-range.js';
import type { Place } from './place.js';
import { Refusal } from './refusal.js';
import { type Bytes, exists, publish, UNFINISHED, writeBytes } from './store.js';

/** A part of a file, and what it is to become. */
export interface ResumeOptions {
  readonly content: PartialContent;
  readonly overwrite: boolean;
  /** Stops reading the body when a later request takes the upload over. */
  readonly abandon: () => void;
}

/** What came of a part. */
export type ResumeOutcome =
  | { readonly state: 'incomplete'; readonly offsetBytes: number }
  | { readonly state: 'complete'; readonly created: boolean };

interface Holder {
  readonly abandon: () => void;
  readonly over: Promise<void>;
}

const OPEN = constants.O_WRONLY | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);

/**
 * Uploads that go on where they broke off. What has arrived of a file stays in a hidden file beside it, bound to its
 * name and total size, so that parts of another file are never mixed in; each part must begin where that ends.
 */
export class Resumer {
  /** Who is writing to which unfinished file. */
  readonly #holders = new Map<string, Holder>();

  /** Takes a part in, or says how much is there. */
  async receive(place: Place, name: string, bytes: Bytes, options: ResumeOptions): Promise<ResumeOutcome> {
    const { content, overwrite } = options;
    if (!overwrite && (await exists(place.pathOf(name)))) throw new Refusal(409, 'the name is taken');
    const unfinished = partName(name, content.totalBytes);
    return this.#alone(`${place.key}/${unfinished}`, options.abandon, async () => {
      const path = place.pathOf(unfinished);
      if (content.part === undefined) return { state: 'incomplete', offsetBytes: await sizeOf(path) };
      const file = await open(path, OPEN, 0o666);
      let offsetBytes: number;
      try {
        offsetBytes = await append(file, bytes, content.part);
      } finally {
        await file.close();
      }
      if (offsetBytes < content.totalBytes) return { state: 'incomplete', offsetBytes };
      return { state: 'complete', created: await publish(place, path, name, overwrite) };
    });
  }

  /** One writer at a time: a client that comes back takes over from its own connection that we do not know dead yet. */
  async #alone<Result>(key: string, abandon: () => void, work: () => Promise<Result>): Promise<Result> {
    for (let other = this.#holders.get(key); other !== undefined; other = this.#holders.get(key)) {
      other.abandon();
      await other.over;
    }
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#holders.set(key, { abandon, over });
    try {
      return await work();
    } finally {
      this.#holders.delete(key);
      resolve();
    }
  }
}

/** The fields that say how much has arrived. */
export function offsetFields(offsetBytes: number): [name: string, value: string][] {
  const offset: [string, string] = ['Upload-Offset', String(offsetBytes)];
  return offsetBytes === 0 ? [offset] : [['Range', `bytes=0-${offsetBytes - 1}`], offset];
}

async function append(
  file: FileHandle,
  bytes: Bytes,
  part: NonNullable<PartialContent['part']>,
): Promise<number> {
  const stat = await file.stat();
  if (!stat.isFile()) throw new Refusal(409, 'the name is taken');
  if (stat.size !== part.first) {
    throw new Refusal(409, 'the part does not begin where the file ends so far', offsetFields(stat.size));
  }
  const length = await writeBytes(file, bytes, { offset: part.first, mostBytes: part.length });
  if (length !== part.length)
    throw new Refusal(400, 'the part ended early', offsetFields(part.first + length));
  return part.first + length;
}

async function sizeOf(path: string): Promise<number> {
  if (!(await exists(path))) return 0;
  return (await lstat(path)).size;
}

function partName(name: string, totalBytes: number): string {
  const hash = createHash('sha256').update(`${totalBytes}/${name}`).digest('hex');
  return `${UNFINISHED}${hash.slice(0, 32)}.part`;
}
