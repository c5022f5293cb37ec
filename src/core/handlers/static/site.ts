import { closeSync } from 'node:fs';
import type { CachePolicy } from './cache-control.js';
import { Compressor } from './compressor.js';
import { type FoundFile, type Lookup, type LookupRules, lookUp } from './lookup.js';
import type { Opened } from './path.js';
import type { Representation } from './representation.js';
import { isSameFile, isUnchanged, loadResource, openSource, type Resource } from './resource.js';
import { ResourceCache } from './resource-cache.js';

/** After this a file is looked for anew: folders on the way may be links by now, better files may have come. */
const FOUND_MS = 500;

/** How often a file that changes while it is read is read again. */
const ATTEMPTS = 3;

/** What a site is made of beside {@link LookupRules}. */
export interface SiteOptions {
  readonly cache: CachePolicy | undefined;
  /** How much memory may be taken by what is remembered. */
  readonly memoryBytes: number;
  /** What the root is called when it is a file. */
  readonly fileName: string;
}

/** What a canonical path comes to: a file with all that is known of it, or why not. */
export type Found = Resource | Exclude<Lookup, FoundFile>;

/** The files below a root as they are on the disk, remembered in memory as long as they stay so. */
export class Site {
  readonly compressor: Compressor;
  readonly #rules: LookupRules;
  readonly #options: SiteOptions;
  readonly #cache: ResourceCache;
  /** Counts the turns of the event loop in which something was looked at. */
  #turn = 1;
  #turnEnds = false;

  constructor(rules: LookupRules, options: SiteOptions) {
    this.#rules = rules;
    this.#options = options;
    this.#cache = new ResourceCache(options.memoryBytes);
    this.compressor = new Compressor(rules.root, this.#cache);
  }

  /** Memory taken by what is remembered, roughly. */
  get usedBytes(): number {
    return this.#cache.usedBytes;
  }

  /**
   * What answers a path. Its state is compared with the disk once in a turn of the event loop: all requests of a turn
   * had arrived before it began, so that none gets what was replaced before it was sent.
   */
  find(path: string): Found {
    const known = this.#cache.get(path);
    if (known === undefined) return this.#findAnew(path, known);
    if (known.checkedTurn === this.#turn) return known;
    const ageMs = Date.now() - known.foundMs;
    // A clock that was set back makes nothing young.
    const isRecent = ageMs >= 0 && ageMs < FOUND_MS;
    if (!isRecent || !isUnchanged(this.#rules.root, known)) return this.#findAnew(path, known);
    this.#markChecked(known);
    return known;
  }

  /** Opens the file whose bytes a representation is, to be sent; `undefined` when it is another one by now. */
  open({ file, siblings }: Resource, { coding }: Representation): Opened | undefined {
    const source = coding === undefined ? file : siblings[coding];
    return source === undefined ? undefined : openSource(this.#rules.root, source, true);
  }

  /** Has a path looked for anew. */
  forget(path: string): void {
    this.#cache.delete(path);
  }

  /** Lets go of what is remembered. */
  async close(): Promise<void> {
    this.#cache.clear();
    await this.compressor.close();
  }

  #findAnew(path: string, known: Resource | undefined): Found {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found = lookUp(this.#rules, path);
      if (found.kind !== 'file') {
        this.#cache.delete(path);
        return found;
      }
      const resource = this.#load(path, found, known);
      if (resource === undefined) continue;
      resource.foundMs = Date.now();
      this.#markChecked(resource);
      this.#cache.set(resource);
      return resource;
    }
    throw new Error('the file changes faster than it can be read');
  }

  #markChecked(resource: Resource): void {
    resource.checkedTurn = this.#turn;
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    setImmediate(() => {
      this.#turn += 1;
      this.#turnEnds = false;
    });
  }

  #load(path: string, found: FoundFile, known: Resource | undefined): Resource | undefined {
    const { root } = this.#rules;
    if (known !== undefined && isSameFile(root, found, known)) {
      closeSync(found.opened.fd);
      return known;
    }
    return loadResource(path, found, { root, ...this.#options });
  }
}
