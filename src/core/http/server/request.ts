import type { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { IsTrusted } from '../forwarded.js';
import { type ForwardedClient, forwardedClient } from '../forwarded-client.js';
import type { HeaderList, HeaderPair, IncomingRequest, ServiceNote, TlsDetails } from '../messages.js';
import { type ParsedTarget, parseTarget } from '../target.js';
import { type BodyReader, emptyBody } from './body-reader.js';
import type { Head } from './parse-head.js';

/** Both ends of a connection, as the handler is to see them: behind a PROXY header those it names. */
export interface Peer {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Whose word about clients counts, when this one is among them. */
  readonly trusts?: IsTrusted;
}

/** The connection a request came on, as far as the request has to know. */
export interface Origin {
  readonly peer: Peer;
  readonly isEncrypted: boolean;
  readonly tls: TlsDetails | undefined;
}

/** What a request asks of the exchange it belongs to. */
export interface RequestOwner {
  readonly origin: Origin;
  readonly content: BodyReader | undefined;
  earlyHints(headers: HeaderList): void;
}

/** A request on a connection of any version; whatever a handler may not ask for is made when it does. */
export class ServerRequest implements IncomingRequest {
  readonly head: Head;
  service: ServiceNote | undefined;
  readonly #owner: RequestOwner;
  #empty: Readable | undefined;
  #abort: AbortController | undefined;
  #onAbort: (() => void) | undefined;
  #gone: Error | undefined;
  #place: ParsedTarget | undefined;
  #client: ForwardedClient | undefined;

  constructor(head: Head, owner: RequestOwner) {
    this.head = head;
    this.#owner = owner;
  }

  get method(): string {
    return this.head.method;
  }

  get target(): string {
    return this.head.target;
  }

  get httpVersion(): '1.0' | '1.1' | '2' {
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
    this.#empty ??= this.#owner.content ?? emptyBody();
    return this.#empty;
  }

  get trailers(): HeaderList {
    return this.#owner.content?.trailers ?? [];
  }

  get scheme(): 'http' | 'https' {
    return this.#told()?.scheme ?? (this.#owner.origin.isEncrypted ? 'https' : 'http');
  }

  get remoteAddress(): string {
    return this.#told()?.address ?? this.peerAddress;
  }

  get remotePort(): number {
    const told = this.#told();
    return told?.address === undefined ? this.#owner.origin.peer.remotePort : told.port;
  }

  get peerAddress(): string {
    return this.#owner.origin.peer.remoteAddress;
  }

  get localAddress(): string {
    return this.#owner.origin.peer.localAddress;
  }

  get localPort(): number {
    return this.#owner.origin.peer.localPort;
  }

  get connection(): object {
    return this.#owner.origin;
  }

  get tls(): TlsDetails | undefined {
    return this.#owner.origin.tls;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#gone !== undefined) this.#abort.abort(this.#gone);
    return this.#abort.signal;
  }

  onAbort(listener: () => void): void {
    if (this.#gone !== undefined) listener();
    else this.#onAbort = listener;
  }

  earlyHints(headers: HeaderList): void {
    this.#owner.earlyHints(headers);
  }

  get user(): string | undefined {
    return this.service?.user;
  }

  note(service: ServiceNote): void {
    this.service = this.service === undefined ? service : { ...this.service, ...service };
  }

  /** Whether the target names a path that can be looked for; if not it is answered 400. */
  get hasPath(): boolean {
    return this.#find() !== undefined;
  }

  /** The client has left before its answer was complete, or nobody will hear the rest for another reason. */
  abort(reason = new Error('the client has left')): void {
    this.#gone ??= reason;
    this.#abort?.abort(reason);
    this.#onAbort?.();
    this.#owner.content?.destroy(reason);
  }

  /** What the peer says of its client, when it is one that is believed. */
  #told(): ForwardedClient | undefined {
    const { trusts } = this.#owner.origin.peer;
    if (trusts === undefined) return undefined;
    this.#client ??= forwardedClient(this.headers, trusts);
    return this.#client;
  }

  #locate(): ParsedTarget {
    return this.#find() ?? { rawPath: '/', path: '/', query: '' };
  }

  #find(): ParsedTarget | undefined {
    this.#place ??= parseTarget(this.target);
    return this.#place;
  }
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
