import { Readable } from 'node:stream';
import { collect } from '../../http/body.js';
import { getHeader } from '../../http/headers.js';
import type { HeaderPair, IncomingRequest } from '../../http/messages.js';
import { mayHaveBody } from '../../http/request-copy.js';
import { HostedHeaders } from './hosted-headers.js';
import { countPlatformInstances } from './instances.js';
import { LazyResponse } from './lazy-response.js';

const PlatformRequest = globalThis.Request;

type Input = ConstructorParameters<typeof Request>[0];

const UTF8 = new TextDecoder();
const NOTHING = Buffer.alloc(0);

/** Paths the URL parser would leave as they are. */
const PLAIN_URL =
  /^https?:\/\/[\w.-]+(?::\d+)?(?:\/(?!\.|%2e)[\w~!$&()*+,;=:@%-][\w.~!$&()*+,;=:@%-]*|\/(?=\/|\?|$))+(?:\?[\w.~!$&()*+,;=:@%/?-]*)?$/i;

/** What a request knows of its host. */
export interface RequestSurroundings {
  readonly signal: AbortSignal;
  readonly waitUntil: (promise: unknown) => void;
}

/**
 * A request as the web standard has it, made of one of ours bit by bit as it is asked for: building a whole
 * `Request` costs more than everything else about a small answer. It is an instance of `Request`.
 */
export class HostedRequest {
  readonly #source: IncomingRequest;
  readonly #fields: readonly HeaderPair[];
  readonly #surroundings: RequestSurroundings;
  #url: string | undefined;
  #headers: Headers | undefined;
  #isUsed = false;
  #whole: Request | undefined;

  constructor(source: IncomingRequest, fields: readonly HeaderPair[], surroundings: RequestSurroundings) {
    this.#source = source;
    this.#fields = fields;
    this.#surroundings = surroundings;
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
    this.#headers ??= new HostedHeaders(this.#fields) as unknown as Headers;
    return this.#headers;
  }

  get signal(): AbortSignal {
    return this.#surroundings.signal;
  }

  /** The client's address, where srvx and h3 look for it. */
  get ip(): string {
    return this.#source.remoteAddress;
  }

  get waitUntil(): (promise: unknown) => void {
    return this.#surroundings.waitUntil;
  }

  get body(): ReadableStream | null {
    return mayHaveBody(this.#source) || this.#whole !== undefined ? this.#toWhole().body : null;
  }

  get bodyUsed(): boolean {
    return this.#isUsed || (this.#whole?.bodyUsed ?? false);
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

  async arrayBuffer(): Promise<ArrayBuffer> {
    if (this.#whole !== undefined) return this.#whole.arrayBuffer();
    return (await this.bytes()).buffer;
  }

  async blob(): Promise<Blob> {
    if (this.#whole !== undefined) return this.#whole.blob();
    return new Blob([await this.bytes()], { type: this.headers.get('content-type') ?? '' });
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    // A copy: what has been read may be a part of something larger.
    if (this.#whole !== undefined) return new Uint8Array(await this.#whole.arrayBuffer());
    return new Uint8Array(await this.#read());
  }

  clone(): Request {
    if (this.#isUsed) throw bodyIsUsed();
    return this.#toWhole().clone();
  }

  formData(): Promise<FormData> {
    return this.#toWhole().formData();
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async text(): Promise<string> {
    return this.#whole !== undefined ? this.#whole.text() : UTF8.decode(await this.#read());
  }

  /** All of the content, without the streams of the platform between. */
  async #read(): Promise<Buffer> {
    if (!mayHaveBody(this.#source)) return NOTHING;
    if (this.#isUsed) throw bodyIsUsed();
    this.#isUsed = true;
    return collect(this.#source.body, Number.POSITIVE_INFINITY);
  }

  #toWhole(): Request {
    if (this.#whole !== undefined) return this.#whole;
    const { method, headers, url } = this;
    const hasContent = mayHaveBody(this.#source) && method !== 'GET' && method !== 'HEAD';
    const init: RequestInit & { duplex?: 'half' } = { method, headers, signal: this.signal };
    if (hasContent) Object.assign(init, { body: Readable.toWeb(this.#source.body), duplex: 'half' });
    this.#whole = new PlatformRequest(url, init);
    return this.#whole;
  }
}

Object.setPrototypeOf(HostedRequest.prototype, PlatformRequest.prototype);

function bodyIsUsed(): TypeError {
  return new TypeError('Body is unusable: Body has already been read');
}

let isPatched = false;

/**
 * Makes `new Request(request)` and `fetch(request)` take hosted requests, by asking for the platform's own class; and
 * `new Response()` one that is sent as it was given.
 */
export function replaceFetchClasses(): void {
  if (isPatched) return;
  isPatched = true;
  const platformFetch = globalThis.fetch;
  globalThis.Request = class Request extends PlatformRequest {
    constructor(input: Input, init?: RequestInit) {
      super(HostedRequest.unwrap(input) as Input, init);
    }
  };
  countPlatformInstances(globalThis.Request, PlatformRequest);
  globalThis.Response = LazyResponse as unknown as typeof Response;
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
