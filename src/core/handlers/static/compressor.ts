import { closeSync } from 'node:fs';
import type { Coding } from './coding.js';
import { compress } from './compress.js';
import type { Root } from './path.js';
import type { Representation } from './representation.js';
import { addEncoded, COMPRESS_MOST_BYTES, openSource, type Resource, readFully } from './resource.js';
import type { ResourceCache } from './resource-cache.js';

/** How many files are compressed at the same time: libuv has four threads, and files must still be read. */
const LANES = 2;

/** What may be under way or waiting, a fraction of a second's work; who comes beyond that gets plain bytes. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** Files waiting for their best form; those beyond stay as they are until they are asked for once more. */
const MAX_WAITING = 100;

/** What takes more than this share of the plain size is not worth the client's time. */
const WORTH = 0.95;

interface Job {
  readonly resource: Resource;
  readonly coding: Coding;
}

/** Compresses what is asked for, once: fast for the first client, and small for all who come after it. */
export class Compressor {
  readonly #root: Root;
  readonly #cache: ResourceCache;
  readonly #running = new Map<string, { resource: Resource; result: Promise<Representation | undefined> }>();
  /** Representations that can become smaller yet. */
  readonly #improvable = new WeakSet<Representation>();
  /** Resources that did not get smaller, and in which codings. */
  readonly #futile = new WeakMap<Resource, Set<Coding>>();
  #pendingBytes = 0;
  #busyLanes = 0;
  readonly #queue: Array<() => void> = [];
  readonly #waiting: Job[] = [];
  #improving: Promise<void> | undefined;

  constructor(root: Root, cache: ResourceCache) {
    this.#root = root;
    this.#cache = cache;
  }

  /**
   * The compressed form of a resource, soon; `undefined` when it is not to be had, now or at all. With `mustHave`
   * also of what hardly gets smaller by it.
   */
  obtain(
    resource: Resource,
    coding: Coding,
    mustHave = false,
  ): Promise<Representation | undefined> | undefined {
    const isWorth = resource.canCompress && this.#futile.get(resource)?.has(coding) !== true;
    const { sizeBytes } = resource.identity;
    if (!(isWorth || mustHave) || sizeBytes > COMPRESS_MOST_BYTES) return undefined;
    const name = `${coding} ${resource.key}`;
    const before = this.#running.get(name);
    if (before?.resource === resource) return before.result;
    if (this.#pendingBytes + sizeBytes > MAX_PENDING_BYTES) return undefined;
    this.#pendingBytes += sizeBytes;
    const result = this.#inLane(() => this.#compressNow({ resource, coding }, mustHave))
      // A file that is gone or cannot be read any more: the plain way will say what is the matter.
      .catch(() => undefined)
      .finally(() => {
        this.#pendingBytes -= sizeBytes;
        if (this.#running.get(name)?.resource === resource) this.#running.delete(name);
      });
    this.#running.set(name, { resource, result });
    return result;
  }

  /** Notes that a compressed form is asked for again: then it is worth more effort. */
  used(resource: Resource, representation: Representation): void {
    const { coding } = representation;
    if (coding === undefined || !this.#improvable.has(representation)) return;
    if (this.#waiting.length >= MAX_WAITING) return;
    this.#improvable.delete(representation);
    this.#waiting.push({ resource, coding });
    this.#improving ??= this.#improveAll();
  }

  /** Resolves when nothing is being compressed. */
  async settled(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ result }) => result));
    await this.#improving;
  }

  /** Forgets what is waiting and resolves when nothing is being compressed. */
  async close(): Promise<void> {
    this.#waiting.length = 0;
    await this.settled();
  }

  async #inLane<Result>(work: () => Promise<Result>): Promise<Result> {
    // Who is let in by one that leaves takes over its lane.
    if (this.#busyLanes >= LANES) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#busyLanes += 1;
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#busyLanes -= 1;
      else next();
    }
  }

  async #compressNow(job: Job, mustHave: boolean): Promise<Representation | undefined> {
    const { resource, coding } = job;
    const bytes = resource.identity.bytes ?? this.#read(resource);
    const compressed = bytes === undefined ? undefined : await compress(bytes, coding, 'fast');
    if (bytes === undefined || compressed === undefined) return undefined;
    if (!mustHave && compressed.length > bytes.length * WORTH) {
      const codings = this.#futile.get(resource) ?? new Set();
      this.#futile.set(resource, codings.add(coding));
      return undefined;
    }
    let representation: Representation | undefined;
    this.#cache.resize(resource, () => {
      representation = addEncoded(resource, coding, compressed);
    });
    if (representation !== undefined) this.#improvable.add(representation);
    return representation;
  }

  /** One after the other: the other threads are for those who wait. */
  async #improveAll(): Promise<void> {
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
      // Let go of meanwhile, or changed on the disk: nobody would get the result.
      if (this.#cache.get(job.resource.key) !== job.resource) continue;
      await this.#improve(job).catch(() => {});
    }
    this.#improving = undefined;
  }

  async #improve({ resource, coding }: Job): Promise<void> {
    const bytes = resource.identity.bytes ?? this.#read(resource);
    const before = resource.encoded[coding]?.sizeBytes;
    if (bytes === undefined || before === undefined) return;
    const compressed = await compress(bytes, coding, 'best');
    if (compressed.length >= before) return;
    this.#cache.resize(resource, () => addEncoded(resource, coding, compressed));
  }

  #read({ file }: Resource): Buffer | undefined {
    const opened = openSource(this.#root, file);
    if (opened === undefined) return undefined;
    try {
      return readFully(opened.fd, Number(file.stat.size));
    } finally {
      closeSync(opened.fd);
    }
  }
}
