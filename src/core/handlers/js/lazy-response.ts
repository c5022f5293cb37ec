import type { HeaderPair } from '../../http/messages.js';
import { countPlatformInstances } from './instances.js';

const PlatformResponse = globalThis.Response;
const PlatformHeaders = globalThis.Headers;

type BodyArgument = ConstructorParameters<typeof Response>[0];

/** A `Response` as it was asked for, none of whose parts has been touched since. */
export interface ResponseParts {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly HeaderPair[];
  readonly body: string | Uint8Array | null;
}

const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;
const isWithoutBody = (status: number): boolean => status === 204 || status === 205 || status === 304;

/**
 * A `Response` that remembers what it was made of: one of text or bytes is sent without the streams that the
 * platform's own reads it through, which cost more than all the rest. Whatever is unusual is the platform's to do.
 */
export class LazyResponse {
  #status = 200;
  #statusText = '';
  #body: string | Uint8Array | null = null;
  #pairs: HeaderPair[] = [];
  #headers: Headers | undefined;
  #whole: Response | undefined;

  constructor(body?: BodyArgument, init?: ResponseInit) {
    if (!this.#keep(body ?? null, init)) this.#whole = new PlatformResponse(body, init);
  }

  static parts(value: unknown): ResponseParts | undefined {
    if (typeof value !== 'object' || value === null || !(#whole in value)) return undefined;
    return value.#whole === undefined ? value.#toParts() : undefined;
  }

  static json(data: unknown, init?: ResponseInit): Response {
    const text = JSON.stringify(data);
    if (text === undefined) return PlatformResponse.json(data, init);
    const given = init?.headers;
    let headers: ResponseInit['headers'] = { 'content-type': 'application/json' };
    if (given !== undefined) {
      headers = new PlatformHeaders(given);
      if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    }
    return new LazyResponse(text, { ...init, headers }) as unknown as Response;
  }

  get status(): number {
    return this.#whole?.status ?? this.#status;
  }

  get statusText(): string {
    return this.#whole?.statusText ?? this.#statusText;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get headers(): Headers {
    // Once made they stay: whoever has them may change them later.
    this.#headers ??= this.#whole?.headers ?? new PlatformHeaders(this.#pairs as [string, string][]);
    return this.#headers;
  }

  get body(): Response['body'] {
    return this.#body === null && this.#whole === undefined ? null : this.#toWhole().body;
  }

  get bodyUsed(): boolean {
    return this.#whole?.bodyUsed ?? false;
  }

  get type(): Response['type'] {
    return 'default';
  }

  get url(): string {
    return '';
  }

  get redirected(): boolean {
    return false;
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#toWhole().arrayBuffer();
  }

  blob(): Promise<Blob> {
    return this.#toWhole().blob();
  }

  bytes(): Promise<Uint8Array> {
    return this.#toWhole().bytes();
  }

  formData(): Promise<FormData> {
    return this.#toWhole().formData();
  }

  json(): Promise<unknown> {
    return this.#toWhole().json();
  }

  text(): Promise<string> {
    return this.#toWhole().text();
  }

  clone(): Response {
    const { body } = this.#toWhole().clone();
    const { status, statusText, headers } = this;
    return new LazyResponse(body, { status, statusText, headers }) as unknown as Response;
  }

  /** Whether these are the usual arguments, which then are remembered. */
  #keep(body: BodyArgument | null, init: ResponseInit | undefined): boolean {
    const { status = 200, statusText = '', headers } = init ?? {};
    const isText = typeof body === 'string';
    if (body !== null && !isText && !(body instanceof Uint8Array)) return false;
    if (!Number.isInteger(status) || status < 200 || status > 599 || !REASON.test(statusText)) return false;
    if (body !== null && isWithoutBody(status)) return false;
    if (!this.#keepHeaders(headers)) this.#headers = new PlatformHeaders(headers);
    if (isText) this.#addType();
    this.#status = status;
    this.#statusText = statusText;
    // Bytes may be written over as soon as we return.
    this.#body = body === null || isText ? body : Buffer.from(body);
    return true;
  }

  #keepHeaders(headers: ResponseInit['headers']): boolean {
    if (headers === undefined) return true;
    if (headers === null || typeof headers !== 'object' || Symbol.iterator in headers) return false;
    for (const name of Object.keys(headers)) {
      const value = (headers as Record<string, string>)[name];
      if (typeof value !== 'string' || !NAME.test(name) || !VALUE.test(value)) return false;
      this.#pairs.push([name, value]);
    }
    return true;
  }

  #addType(): void {
    const type = 'text/plain;charset=UTF-8';
    if (this.#headers !== undefined) {
      if (!this.#headers.has('content-type')) this.#headers.set('content-type', type);
    } else if (!this.#pairs.some(([name]) => name.length === 12 && name.toLowerCase() === 'content-type')) {
      this.#pairs.push(['content-type', type]);
    }
  }

  #toParts(): ResponseParts {
    const headers = this.#headers === undefined ? this.#pairs : [...this.#headers];
    return { status: this.#status, statusText: this.#statusText, headers, body: this.#body };
  }

  #toWhole(): Response {
    if (this.#whole !== undefined) return this.#whole;
    const { status, statusText, headers } = this;
    // As bytes: text would get its type again if that was taken away.
    const body = typeof this.#body === 'string' ? Buffer.from(this.#body) : this.#body;
    this.#whole = new PlatformResponse(body as BodyArgument, { status, statusText, headers });
    return this.#whole;
  }
}

Object.setPrototypeOf(LazyResponse.prototype, PlatformResponse.prototype);
Object.setPrototypeOf(LazyResponse, PlatformResponse);
Object.defineProperty(LazyResponse, 'name', { value: 'Response' });
countPlatformInstances(LazyResponse as never, PlatformResponse);
