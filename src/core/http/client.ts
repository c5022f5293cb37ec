import { type Connection, type ConnectPath, connect } from '../net/connect.js';
import type { ProxyAddress } from '../net/proxy-address.js';
import { createSocketReader } from '../net/socket-reader.js';
import type { TlsClientOptions } from '../net/tls-client.js';
import { toBasicAuth } from './basic-auth.js';
import type { ConnectionPool } from './connection-pool.js';
import { Http1Exchange } from './http1.js';
import type { Http2Session } from './http2-session.js';
import type { HttpResponse, OutgoingRequest } from './messages.js';
import type { RateLimit } from './rate-limit.js';
import type { ReplyBody } from './reply-body.js';
import { type RequestHead, toRequestHead } from './request-head.js';

/** How {@link send} goes about it. */
export interface SendOptions {
  /** For DNS, TCP, proxy and TLS together; 0 waits for ever. */
  readonly connectTimeoutMs: number;
  /** How long not a byte may move; 0 waits for ever. */
  readonly idleTimeoutMs: number;
  readonly tls?: Omit<TlsClientOptions, 'alpn'> | undefined;
  readonly path?: Omit<ConnectPath, 'proxy'> | undefined;
  /** The proxy for a URL, asked anew for every request. */
  readonly chooseProxy?: ((url: URL) => ProxyAddress | undefined) | undefined;
  /** HTTP/1.1 only, or HTTP/2 only (over TLS by ALPN, else with prior knowledge); left out, what ALPN comes to. */
  readonly httpVersion?: '1.1' | '2' | undefined;
  /** Where connections wait for their next request. */
  readonly pool?: ConnectionPool | undefined;
  readonly rate?: RateLimit | undefined;
  /** Told what is really sent, just before it is. */
  readonly onSend?: ((head: RequestHead) => void) | undefined;
  /** Told of the bytes of the body that have been sent. */
  readonly onUpload?: ((bytes: number) => void) | undefined;
}

/** When each step was done, in milliseconds from the start. */
export interface Timings {
  readonly dnsMs: number;
  readonly connectMs: number;
  /** `null` without TLS. */
  readonly tlsMs: number | null;
  readonly firstByteMs: number;
  /** `null` until the body has ended. */
  readonly totalMs: number | null;
}

/** An answer whose body has not been read yet. Whoever does not read it has to destroy it. */
export interface ClientResponse extends HttpResponse {
  readonly reason: string;
  readonly body: ReplyBody;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly timings: Timings;
  /** Bytes of the body that have arrived so far, as sent: before any decoding. */
  readonly wireSizeBytes: number;
}

/**
 * Sends a request and resolves when the head of the answer is there.
 * Redirects, decoding and retries are other layers' work. Failures are `NettoolError`s, in the body as well.
 */
export async function send(request: OutgoingRequest, options: SendOptions): Promise<ClientResponse> {
  const proxy = options.path?.socketPath === undefined ? options.chooseProxy?.(request.url) : undefined;
  const head = toRequestHead(request, toHeadOptions(request.url, proxy));
  const key = `${request.url.origin} ${JSON.stringify(proxy ?? '')}`;
  const { pool } = options;
  const shared = pool?.session(key);
  // Nothing is waited for without need: whoever asks next is to find what this one opens.
  const session = shared && (await shared);
  if (session !== undefined) {
    const channel = { connection: withoutSteps(session.connection), session };
    return exchange(request, { head, key, channel, startedAt: performance.now(), options });
  }
  const kept = pool?.take(key);
  if (kept !== undefined) {
    try {
      const channel = { connection: kept, session: undefined };
      return await exchange(request, { head, key, channel, startedAt: performance.now(), options });
    } catch (error) {
      // Closed while it waited: the request has not been seen. Anything else is this request's own failure.
      const { code } = error as { code?: string };
      const isStale = code === 'EMPTY_REPLY' || code === 'CONNECTION_BROKEN';
      if (!isStale || request.signal.aborted || !canRepeat(request)) throw error;
    }
  }
  const startedAt = performance.now();
  const opening = openChannel(request, proxy, options);
  if (pool !== undefined && mayBeHttp2(request.url, options)) {
    pool.share(
      key,
      opening.then((channel) => channel.session),
    );
  }
  return exchange(request, { head, key, channel: await opening, startedAt, options });
}

/** A connection, and who speaks HTTP/2 over it when that is what it has come to. */
interface Channel {
  readonly connection: Connection;
  readonly session: Http2Session | undefined;
}

async function openChannel(
  request: OutgoingRequest,
  proxy: ProxyAddress | undefined,
  options: SendOptions,
): Promise<Channel> {
  const { url } = request;
  const connection = await open(request, proxy, options);
  if (!isHttp2(connection, url, options)) return { connection, session: undefined };
  // Only who speaks HTTP/2 pays for loading undici.
  const { Http2Session } = await import('./http2-session.js');
  const session = new Http2Session(url.origin, connection, (signal) =>
    open({ ...request, signal }, proxy, options),
  );
  return { connection, session };
}

/** A connection as the next request sees it: it was there. */
function withoutSteps(connection: Connection): Connection {
  const tlsMs = connection.timings.tlsMs === null ? null : 0;
  return { ...connection, timings: { dnsMs: 0, connectMs: 0, tlsMs } };
}

function toHeadOptions(url: URL, proxy: ProxyAddress | undefined) {
  if (proxy === undefined || isTunnel(url, proxy)) return {};
  const { username, password = '' } = proxy;
  return {
    viaProxy: true,
    proxyAuthorization: username === undefined ? undefined : toBasicAuth(username, password),
  };
}

/** Plain http goes to an HTTP proxy as it is; everything else through a connection it opens. */
function isTunnel(url: URL, { scheme }: ProxyAddress): boolean {
  return url.protocol === 'https:' || scheme.startsWith('socks');
}

async function open(
  { url, signal }: OutgoingRequest,
  proxy: ProxyAddress | undefined,
  options: SendOptions,
): Promise<Connection> {
  const secure = url.protocol === 'https:';
  const isPlain = !secure && proxy === undefined && options.httpVersion !== '2';
  return connect({
    ...options.path,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    timeoutMs: options.connectTimeoutMs,
    signal,
    proxy: proxy && { address: proxy, tunnel: isTunnel(url, proxy), tls: options.tls },
    tls: secure ? { ...options.tls, alpn: toAlpn(options.httpVersion) } : undefined,
    // Bytes are lent where they can be: a large transfer is twice as fast so.
    reader: isPlain ? createSocketReader(options.rate?.pieceBytes) : undefined,
  });
}

function toAlpn(httpVersion: SendOptions['httpVersion']): string[] {
  if (httpVersion === '1.1') return ['http/1.1'];
  return httpVersion === '2' ? ['h2'] : ['h2', 'http/1.1'];
}

interface Opened {
  readonly head: RequestHead;
  readonly key: string;
  readonly channel: Channel;
  readonly startedAt: number;
  readonly options: SendOptions;
}

async function exchange(request: OutgoingRequest, opened: Opened): Promise<ClientResponse> {
  const { head, key, channel, startedAt, options } = opened;
  const { connection, session } = channel;
  const { idleTimeoutMs, rate, onUpload, onSend, pool } = options;
  const shared = { head, connection, startedAt, idleTimeoutMs, rate, onUpload };
  if (session !== undefined) {
    const { Http2Exchange, toHttp2Head } = await import('./http2.js');
    onSend?.(toHttp2Head(head));
    const onDone = (): void => {
      if (pool === undefined) session.close();
    };
    return new Http2Exchange(request, session, { ...shared, onDone }).start();
  }
  onSend?.(head);
  const onDone = (isReusable: boolean): void => {
    if (!isReusable) return;
    if (pool === undefined) connection.socket.destroy();
    else pool.give(key, withoutSteps(connection));
  };
  return new Http1Exchange(request, { ...shared, onDone }).start();
}

/** Whether a connection to this URL may turn out to speak HTTP/2. */
function mayBeHttp2({ protocol }: URL, { httpVersion }: SendOptions): boolean {
  return httpVersion === '2' || (httpVersion === undefined && protocol === 'https:');
}

function isHttp2({ socket }: Connection, url: URL, { httpVersion }: SendOptions): boolean {
  if (url.protocol === 'http:') return httpVersion === '2';
  return (socket as { alpnProtocol?: string | false }).alpnProtocol === 'h2';
}

function canRepeat({ body }: OutgoingRequest): boolean {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return true;
  return 'open' in body && body.isReplayable;
}
