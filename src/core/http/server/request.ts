import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { HeaderList, HeaderPair, IncomingRequest, TlsDetails } from '../messages.js';
import { parseTarget } from '../target.js';
import type { Head } from './parse-head.js';

/** Both ends of a connection, as the handler is to see them: behind a PROXY header those it names. */
export interface Peer {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** What a request asks of the connection it came on. */
export interface Exchange {
  readonly peer: Peer;
  readonly isEncrypted: boolean;
  readonly tls: TlsDetails | undefined;
  readonly trailers: HeaderList;
  /** The handler wants (more of) the body. */
  wantBody(): void;
  /** The handler wants no more of the body. */
  dropBody(): void;
  earlyHints(headers: HeaderList): void;
}

/** The content of a request: asks the connection for bytes only when the handler does. */
export class RequestBody extends Readable {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    super({ highWaterMark: 65_536 });
    this.#exchange = exchange;
    // Whoever reads is told; who does not read has not to care.
    this.on('error', ignore);
  }

  override _read(): void {
    this.#exchange.wantBody();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#exchange.dropBody();
    callback(error);
  }
}

const ignore = (): void => {};

/** A request on an HTTP/1 connection; whatever a handler may not ask for is made when it does. */
export class ServerRequest implements IncomingRequest {
  readonly head: Head;
  /** Whether the connection may stay after this exchange. */
  keepAlive: boolean;
  content: RequestBody | undefined;
  /** In milliseconds, when somebody wants to know: first byte, handler called, answered. */
  times: [arrived: number, called: number, answered: number] | undefined;
  bytesIn = 0;
  readonly #exchange: Exchange;
  #abort: AbortController | undefined;
  #gone = false;
  #place: { rawPath: string; path: string; query: string } | undefined;

  constructor(head: Head, exchange: Exchange, keepAlive: boolean) {
    this.head = head;
    this.keepAlive = keepAlive;
    this.#exchange = exchange;
  }

  get method(): string {
    return this.head.method;
  }

  get target(): string {
    return this.head.target;
  }

  get httpVersion(): '1.0' | '1.1' {
    return this.head.version;
  }

  get rawPath(): string {
    return this.#locate().rawPath;
  }

  get path(): string {
    return this.#locate().path;
  }

  get query(): string {
    return this.#locate().query;
  }

  get headers(): HeaderList {
    const { fields, target } = this.head;
    const code = target.charCodeAt(0);
    return code === 0x2f || code === 0x2a ? fields.headers : withTargetHost(fields.headers, target);
  }

  get hasBody(): boolean {
    return this.head.length !== 0;
  }

  get body(): Readable {
    if (this.content === undefined) {
      this.content = new RequestBody(this.#exchange);
      if (!this.hasBody) this.content.push(null);
      else if (this.#gone) this.content.destroy(new Error('the client has left'));
    }
    return this.content;
  }

  get trailers(): HeaderList {
    return this.#exchange.trailers;
  }

  get scheme(): 'http' | 'https' {
    return this.#exchange.isEncrypted ? 'https' : 'http';
  }

  get remoteAddress(): string {
    return this.#exchange.peer.remoteAddress;
  }

  get remotePort(): number {
    return this.#exchange.peer.remotePort;
  }

  get localAddress(): string {
    return this.#exchange.peer.localAddress;
  }

  get localPort(): number {
    return this.#exchange.peer.localPort;
  }

  get tls(): TlsDetails | undefined {
    return this.#exchange.tls;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#gone) this.#abort.abort(clientLeft());
    return this.#abort.signal;
  }

  earlyHints(headers: HeaderList): void {
    this.#exchange.earlyHints(headers);
  }

  /** Whether the target names a path that can be looked for; if not it is answered 400. */
  get hasPath(): boolean {
    return this.#find() !== undefined;
  }

  /** The client has left before its answer was complete. */
  abort(): void {
    this.#gone = true;
    this.#abort?.abort(clientLeft());
    this.content?.destroy(clientLeft());
  }

  #locate(): { rawPath: string; path: string; query: string } {
    return this.#find() ?? { rawPath: '/', path: '/', query: '' };
  }

  #find(): { rawPath: string; path: string; query: string } | undefined {
    this.#place ??= this.target === '*' ? { rawPath: '*', path: '*', query: '' } : parseTarget(this.target);
    return this.#place;
  }
}

function clientLeft(): Error {
  return new Error('the client has left');
}

/** In the absolute form the target's host counts, and Host is to be ignored (RFC 9112, section 3.2.2). */
function withTargetHost(headers: readonly HeaderPair[], target: string): HeaderList {
  const host = /^https?:\/\/([^/?]*)/i.exec(target)?.[1] ?? '';
  return [['Host', host], ...headers.filter(([name]) => name.toLowerCase() !== 'host')];
}

/** What a TLS socket agreed on. */
export function tlsDetails(socket: TLSSocket): TlsDetails {
  const name = (socket as TLSSocket & { servername?: string | false }).servername;
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher()?.name ?? '',
    serverName: typeof name === 'string' ? name : undefined,
  };
}
