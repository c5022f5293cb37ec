import type { Exchange } from './lane.js';

const FIRST_CAPACITY = 64;
/** Identifiers are 32 bits wide on the wire. */
const ID_LIMIT = 2 ** 32;

/**
 * The exchanges of a lane by their identifier. Not a `Map`: one that is filled and emptied for ever leaves a chain of
 * outgrown tables behind, each of which keeps the next alive for the young generation's collector, with all that
 * was in it; a third of the garbage then had to be copied before it was found to be some.
 */
export class ExchangeTable {
  /** As many as a power of two; each stands at its identifier's last bits. */
  #slots: (Exchange | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  #lastId = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Takes an exchange in, and gives it an identifier of its own: the next whose place is free. */
  add(exchange: Exchange): void {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    do this.#lastId = (this.#lastId + 1) % ID_LIMIT;
    while (this.#slots[this.#place(this.#lastId)] !== undefined);
    exchange.opening.id = this.#lastId;
    this.#slots[this.#place(this.#lastId)] = exchange;
    this.#size += 1;
  }

  get(id: number): Exchange | undefined {
    const exchange = this.#slots[this.#place(id)];
    return exchange?.opening.id === id ? exchange : undefined;
  }

  /** Tells whether it was there. */
  delete(id: number): boolean {
    if (this.get(id) === undefined) return false;
    this.#slots[this.#place(id)] = undefined;
    this.#size -= 1;
    return true;
  }

  /** Those that are open now, in the order they were added. */
  values(): Exchange[] {
    const all = this.#slots.filter((exchange) => exchange !== undefined);
    return all.sort((a, b) => a.opening.id - b.opening.id);
  }

  #place(id: number): number {
    return id & (this.#slots.length - 1);
  }

  #grow(): void {
    const all = this.values();
    this.#slots = new Array(this.#slots.length * 2).fill(undefined);
    for (const exchange of all) this.#slots[this.#place(exchange.opening.id)] = exchange;
  }
}
