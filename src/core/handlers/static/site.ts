import { closeSync } from 'node:fs';
import type { CachePolicy } from './cache-control.js';
import { Compressor } from './compressor.js';
import { type FoundFile, type Lookup, type LookupRules, lookUp } from './lookup.js';
import type { Opened } from './path.js';
import type { Representation } from './representation.js';
import { isSameFile, isUnchanged, loadResource, openSource, type Resource } from './resource.js';
import { ResourceCache } from './resource-cache.js';

/** For so long a file is taken to be as it was: a busy one is looked at 50 times a second, and nobody saves and reloads faster. */
const FRESH_MS = 20;

/** After this it is looked for anew: links that lead elsewhere by now, files that should be sent instead. */
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

  /** What answers a path; a file's content is at most 20 ms behind the disk, everything else half a second. */
  find(path: string): Found {
    const nowMs = Date.now();
    const known = this.#cache.get(path);
    if (known === undefined) return this.#findAnew(path, known);
    const age = nowMs - known.checkedMs;
    // A clock that was set back makes nothing young.
    if (age < FRESH_MS && age >= 0) return known;
    const sinceFound = nowMs - known.foundMs;
    if (sinceFound >= FOUND_MS || sinceFound < 0 || !isUnchanged(this.#rules.root, known)) {
      return this.#findAnew(path, known);
    }
    known.checkedMs = nowMs;
    return known;
  }

  /** Opens the file whose bytes a representation is; `undefined` when it is not what it was. */
  open({ file, siblings }: Resource, { coding }: Representation): Opened | undefined {
    const source = coding === undefined ? file : siblings[coding];
    return source === undefined ? undefined : openSource(this.#rules.root, source);
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
      resource.checkedMs = resource.isSettled ? resource.foundMs : 0;
      this.#cache.set(resource);
      return resource;
    }
    throw new Error('the file changes faster than it can be read');
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
