import type { Resource } from './resource.js';

/** Resources by canonical path, the longest unchecked leaving first when they take more memory than they may. */
export class ResourceCache {
  readonly #budgetBytes: number;
  readonly #entries = new Map<string, Resource>();
  #usedBytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** Memory taken, roughly. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  get(path: string): Resource | undefined {
    return this.#entries.get(path);
  }

  /** Puts in a resource, or moves it to where it leaves last. */
  set(resource: Resource): void {
    this.delete(resource.key);
    this.#entries.set(resource.key, resource);
    this.#usedBytes += resource.costBytes;
    this.#shrink();
  }

  delete(path: string): void {
    const resource = this.#entries.get(path);
    if (resource === undefined) return;
    this.#entries.delete(path);
    this.#usedBytes -= resource.costBytes;
  }

  /** Lets a resource change in size; one that is no longer here changes for itself alone. */
  resize(resource: Resource, change: () => void): void {
    const before = resource.costBytes;
    change();
    if (this.#entries.get(resource.key) !== resource) return;
    this.#usedBytes += resource.costBytes - before;
    this.#shrink();
  }

  clear(): void {
    this.#entries.clear();
    this.#usedBytes = 0;
  }

  #shrink(): void {
    for (const path of this.#entries.keys()) {
      if (this.#usedBytes <= this.#budgetBytes) return;
      this.delete(path);
    }
  }
}
