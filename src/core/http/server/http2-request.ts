import type { ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { forwardedClient } from '../forwarded-client.js';
import type { HeaderList, HeaderPair, IncomingRequest, ServiceNote, TlsDetails } from '../messages.js';
import { parseTarget } from '../target.js';
import type { ServerContext } from './context.js';
import { METHODS } from './grammar.js';
import { isAuthority } from './parse-head.js';
import { type Peer, tlsDetails } from './request.js';
import { Refusal } from './status.js';

/** A request on an HTTP/2 stream, in the same terms as any other (RFC 9113, section 8.3.1). */
export class Http2Request implements IncomingRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion = '2';
  readonly scheme: 'http' | 'https';
  readonly headers: HeaderList;
  readonly hasBody: boolean;
  readonly body: Readable;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly rawPath: string;
  readonly path: string;
  readonly query: string;
  readonly earlyHints: (headers: HeaderList) => void;
  trailers: HeaderList = [];
  service: ServiceNote | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #abort = new AbortController();
  readonly #problem: Refusal | undefined;

  constructor(
    stream: ServerHttp2Stream,
    peer: Peer,
    rawHeaders: readonly string[],
    earlyHints: (headers: HeaderList) => void,
  ) {
    this.#stream = stream;
    this.earlyHints = earlyHints;
    const all = toPairs(rawHeaders);
    const pseudo = (name: string) => all.find(([key]) => key === name)?.[1];
    const fields = all.filter(([name]) => !name.startsWith(':'));
    this.method = pseudo(':method') ?? '';
    this.target = pseudo(':path') ?? '';
    const authority = pseudo(':authority');
    const hosts = fields.filter(([name]) => name === 'host').map(([, value]) => value);
    const host = authority ?? hosts[0];
    this.headers =
      authority === undefined ? fields : [['host', authority], ...fields.filter(([name]) => name !== 'host')];
    if (host === undefined || hosts.length > 1 || !isAuthority(host) || (hosts[0] ?? host) !== host) {
      this.#problem = new Refusal(400, 'the authority is malformed');
    }
    const place = this.target.startsWith('/') || this.target === '*' ? parseTarget(this.target) : undefined;
    if (place === undefined) this.#problem = new Refusal(400, 'the path is malformed');
    this.rawPath = place?.rawPath ?? '/';
    this.path = place?.path ?? '/';
    this.query = place?.query ?? '';
    const told = peer.trusts === undefined ? undefined : forwardedClient(this.headers, peer.trusts);
    this.scheme = told?.scheme ?? (this.#isEncrypted ? 'https' : 'http');
    this.peerAddress = peer.remoteAddress;
    this.remoteAddress = told?.address ?? peer.remoteAddress;
    this.remotePort = told?.address === undefined ? peer.remotePort : told.port;
    this.localAddress = peer.localAddress;
    this.localPort = peer.localPort;
    this.hasBody = !stream.endAfterHeaders;
    let isFirst = this.find('expect')?.toLowerCase() === '100-continue';
    this.body = new Readable({
      read: () => {
        if (isFirst && !stream.headersSent && !stream.destroyed) stream.additionalHeaders({ ':status': 100 });
        isFirst = false;
        if (this.hasBody) stream.resume();
        else this.body.push(null);
      },
      destroy: (error, done) => {
        // What nobody reads must still be taken, or the connection's window runs out.
        if (!stream.destroyed) stream.resume();
        done(error);
      },
    });
    this.body.on('error', () => {});
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get #isEncrypted(): boolean {
    return 'encrypted' in (this.#stream.session?.socket ?? {});
  }

  get tls(): TlsDetails | undefined {
    return this.#isEncrypted ? tlsDetails(this.#stream.session?.socket as TLSSocket) : undefined;
  }

  find(name: string): string | undefined {
    return this.headers.find(([key]) => key === name)?.[1];
  }

  /** Why this request is not answered by the handler. */
  check(context: ServerContext): Refusal | undefined {
    const { maxTargetBytes } = context.limits;
    if (this.method === 'CONNECT') return new Refusal(501, 'CONNECT is for proxies');
    if (this.target.length > maxTargetBytes) return new Refusal(414, 'the request target is too long');
    if (this.#problem !== undefined) return this.#problem;
    if (this.target === '*' && this.method !== 'OPTIONS') return new Refusal(400, 'the path is malformed');
    return METHODS.has(this.method) ? undefined : new Refusal(501, 'unknown method');
  }

  note(service: ServiceNote): void {
    this.service = { ...this.service, ...service };
  }

  abort(): void {
    const error = new Error('the client has left');
    if (!this.#abort.signal.aborted) this.#abort.abort(error);
    if (!this.body.readableEnded) this.body.destroy(error);
  }
}

/** Names and values in turn, as pairs. */
export function toPairs(raw: readonly string[]): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
  return pairs;
}
