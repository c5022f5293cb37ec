import { Readable } from 'node:stream';
import { getHeader } from '../../http/headers.js';
import type { HeaderPair, IncomingRequest } from '../../http/messages.js';
import { mayHaveBody } from '../../http/request-copy.js';

const PlatformRequest = globalThis.Request;

type Input = ConstructorParameters<typeof Request>[0];

/** Paths the URL parser would leave as they are. */
const PLAIN_URL =
  /^https?:\/\/[\w.-]+(?::\d+)?(?:\/(?!\.|%2e)[\w~!$&()*+,;=:@%-][\w.~!$&()*+,;=:@%-]*|\/(?=\/|\?|$))+(?:\?[\w.~!$&()*+,;=:@%/?-]*)?$/i;

/**
 * A request as the web standard has it, made of one of ours bit by bit as it is asked for: building a whole
 * `Request` costs more than everything else about a small answer. It is an instance of `Request`.
 */
export class HostedRequest {
  readonly #source: IncomingRequest;
  readonly #fields: readonly HeaderPair[];
  readonly #signal: () => AbortSignal;
  #url: string | undefined;
  #headers: Headers | undefined;
  #whole: Request | undefined;

  constructor(source: IncomingRequest, fields: readonly HeaderPair[], signal: () => AbortSignal) {
    this.#source = source;
    this.#fields = fields;
    this.#signal = signal;
  }

  /** The request as the platform's own class; made once. */
  static unwrap(value: unknown): unknown {
    return typeof value === 'object' && value !== null && #source in value ? value.#toWhole() : value;
  }

  get method(): string {
    return this.#source.method;
  }

  get url(): string {
    this.#url ??= toUrl(this.#source);
    return this.#url;
  }

  get headers(): Headers {
    if (this.#whole !== undefined) return this.#whole.headers;
    this.#headers ??= new Headers(this.#fields as [string, string][]);
    return this.#headers;
  }

  get signal(): AbortSignal {
    return this.#signal();
  }

  get body(): ReadableStream | null {
    return mayHaveBody(this.#source) || this.#whole !== undefined ? this.#toWhole().body : null;
  }

  get bodyUsed(): boolean {
    return this.#whole?.bodyUsed ?? false;
  }

  get cache(): string {
    return 'default';
  }

  get credentials(): string {
    return 'same-origin';
  }

  get destination(): string {
    return '';
  }

  get duplex(): string {
    return 'half';
  }

  get integrity(): string {
    return '';
  }

  get keepalive(): boolean {
    return false;
  }

  get mode(): string {
    return 'cors';
  }

  get redirect(): string {
    return 'follow';
  }

  get referrer(): string {
    return 'about:client';
  }

  get referrerPolicy(): string {
    return '';
  }

  get isReloadNavigation(): boolean {
    return false;
  }

  get isHistoryNavigation(): boolean {
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

  clone(): Request {
    return this.#toWhole().clone();
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

  #toWhole(): Request {
    if (this.#whole !== undefined) return this.#whole;
    const { method, headers, url } = this;
    const hasContent = mayHaveBody(this.#source) && method !== 'GET' && method !== 'HEAD';
    const init: RequestInit & { duplex?: 'half' } = { method, headers, signal: this.#signal() };
    if (hasContent) Object.assign(init, { body: Readable.toWeb(this.#source.body), duplex: 'half' });
    this.#whole = new PlatformRequest(url, init);
    return this.#whole;
  }
}

Object.setPrototypeOf(HostedRequest.prototype, PlatformRequest.prototype);

let isPatched = false;

/** Makes `new Request(request)` and `fetch(request)` take hosted requests: they ask for the platform's own class. */
export function acceptHostedRequests(): void {
  if (isPatched) return;
  isPatched = true;
  const platformFetch = globalThis.fetch;
  globalThis.Request = class Request extends PlatformRequest {
    constructor(input: Input, init?: RequestInit) {
      super(HostedRequest.unwrap(input) as Input, init);
    }

    static override [Symbol.hasInstance](value: unknown): boolean {
      return value instanceof PlatformRequest;
    }
  };
  globalThis.fetch = (input, init) => platformFetch(HostedRequest.unwrap(input) as Input, init);
}

/** The URL the client asked for, as `new URL` would write it. */
function toUrl(request: IncomingRequest): string {
  const { scheme, rawPath, query } = request;
  const host = getHeader(request.headers, 'host') ?? '';
  const path = rawPath === '*' ? '/' : rawPath;
  const rest = query === '' ? path : `${path}?${query}`;
  const text = `${scheme}://${host}${rest}`;
  if (PLAIN_URL.test(text) && host === host.toLowerCase()) return withoutDefaultPort(text, scheme);
  return (URL.parse(text) ?? new URL(`${scheme}://localhost${rest}`)).href;
}

function withoutDefaultPort(url: string, scheme: 'http' | 'https'): string {
  return url.replace(
    scheme === 'https' ? /^(https:\/\/[^/?]*):443(?=[/?])/ : /^(http:\/\/[^/?]*):80(?=[/?])/,
    '$1',
  );
}
