import type { HeaderPair } from '../../http/messages.js';

const PlatformHeaders = globalThis.Headers;
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** The `Headers` of a request: what is looked up is found in the list, and only what is more than that makes them. */
export class HostedHeaders {
  readonly #fields: readonly HeaderPair[];
  #whole: Headers | undefined;

  constructor(fields: readonly HeaderPair[]) {
    this.#fields = fields;
  }

  get(name: string): string | null {
    if (this.#whole !== undefined || !NAME.test(name)) return this.#toWhole().get(name);
    const key = name.toLowerCase();
    let found: string | null = null;
    for (const [field, value] of this.#fields) {
      if (field.length !== key.length || field.toLowerCase() !== key) continue;
      if (found === null) found = value;
      else found += (key === 'cookie' ? '; ' : ', ') + value;
    }
    return found;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  append(name: string, value: string): void {
    this.#toWhole().append(name, value);
  }

  set(name: string, value: string): void {
    this.#toWhole().set(name, value);
  }

  delete(name: string): void {
    this.#toWhole().delete(name);
  }

  getSetCookie(): string[] {
    return this.#toWhole().getSetCookie();
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    for (const [name, value] of this) callback.call(self, value, name, this as unknown as Headers);
  }

  keys() {
    return this.#toWhole().keys();
  }

  values() {
    return this.#toWhole().values();
  }

  entries() {
    return this.#toWhole().entries();
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  #toWhole(): Headers {
    this.#whole ??= new PlatformHeaders(this.#fields as [string, string][]);
    return this.#whole;
  }
}

Object.setPrototypeOf(HostedHeaders.prototype, PlatformHeaders.prototype);
