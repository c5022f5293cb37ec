import { createServer, type Server } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { GatewayError } from '../../http/gateway-error.js';
import { getHeader } from '../../http/headers.js';
import type { HeaderPair, IncomingRequest } from '../../http/messages.js';
import { mayHaveBody } from '../../http/request-copy.js';
import { Clock } from '../../http/server/clock.js';
import { UpstreamConnection } from '../../http/upstream/connection.js';
import type { RequestBody } from '../../http/upstream/request-body.js';
import type { UpstreamReply } from '../../http/upstream/types.js';
import { IdlePool } from '../../net/idle-pool.js';
import type { JsApplication } from './application.js';
import { applicationHeaders } from './application-headers.js';
import type { JsSettings } from './settings.js';

/** Connections in memory that wait for their next request. */
const IDLE = { maxIdle: 256, idleMs: 30_000 };

/** Both ends of a connection that never leaves the process. */
interface Bridge {
  readonly connection: UpstreamConnection;
  /** What the application has as `req.socket`. */
  readonly socket: Duplex;
  readonly isFit: boolean;
  destroy(): void;
}

/** A server of node:http that listens nowhere: its connections are pairs of streams in memory. */
export interface NodeBridge {
  send(request: IncomingRequest, upgrade?: string): Promise<UpstreamReply>;
  close(): void;
}

/** Hands requests to a Node application as its own server would, on a connection that looks like the client's. */
export function createNodeBridge(app: JsApplication, settings: JsSettings): NodeBridge {
  const server = createPrivateServer(app);
  const { requestTimeoutMs: responseMs } = settings;
  const clock = new Clock(Math.max(10, Math.min(500, responseMs / 4)));
  const pool = new IdlePool<Bridge>(IDLE);
  const open = new Set<Bridge>();

  const connect = (): Bridge => {
    const [near, far] = duplexPair();
    // An application may stream for as long as it likes: only its silence before an answer is limited.
    const stallMs = Number.POSITIVE_INFINITY;
    const connection = new UpstreamConnection(near, clock, { responseMs, stallMs });
    const bridge: Bridge = {
      connection,
      socket: far,
      get isFit() {
        return connection.isFit && !far.destroyed;
      },
      destroy() {
        connection.destroy();
        far.destroy();
      },
    };
    open.add(bridge);
    connection.onClose = () => {
      open.delete(bridge);
      pool.drop(bridge);
      far.destroy();
    };
    far.on('close', () => near.destroy());
    server.emit('connection', far);
    return bridge;
  };

  return {
    async send(request, upgrade) {
      const { signal } = request;
      if (signal.aborted) throw new GatewayError(502, 'the client has left');
      const bridge = pool.take() ?? connect();
      const { connection } = bridge;
      const { remoteAddress, remotePort, localAddress, localPort } = request;
      const encrypted = request.scheme === 'https';
      Object.assign(bridge.socket, { remoteAddress, remotePort, localAddress, localPort, encrypted });
      const onAbort = (): void => connection.abandon();
      signal.addEventListener('abort', onAbort);
      connection.onFree = (isReusable) => {
        signal.removeEventListener('abort', onAbort);
        if (isReusable) pool.give(bridge);
      };
      return connection.send({
        method: request.method,
        head: headFor(request, applicationHeaders(request, settings), upgrade),
        body: bodyOf(request),
        mayUpgrade: upgrade !== undefined,
        onInterim: (status, headers) => {
          if (status === 103) request.earlyHints?.(headers);
        },
      });
    },
    close() {
      pool.close();
      for (const bridge of open) bridge.destroy();
    },
  };
}

function createPrivateServer(app: JsApplication): Server {
  // The engine before it has set all the limits.
  const server = createServer({
    keepAliveTimeout: 0,
    headersTimeout: 0,
    requestTimeout: 0,
    maxHeaderSize: 128 * 1024,
  });
  server.timeout = 0;
  if (app.kind === 'node') server.on('request', app.listener);
  if (app.upgrade !== undefined) server.on('upgrade', app.upgrade);
  return server;
}

function headFor(
  request: IncomingRequest,
  headers: readonly HeaderPair[],
  upgrade: string | undefined,
): string {
  const { method, rawPath, query, target } = request;
  const mark = query === '' && !target.endsWith('?') ? '' : '?';
  let head = `${method} ${rawPath}${mark}${query} HTTP/1.1\r\n`;
  let hasHost = false;
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key === 'content-length' || key === 'expect') continue;
    hasHost ||= key === 'host';
    head += `${name}: ${value}\r\n`;
  }
  if (!hasHost) head += 'Host: localhost\r\n';
  if (upgrade !== undefined) return `${head}Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`;
  if (!mayHaveBody(request)) return `${head}\r\n`;
  const length = getHeader(headers, 'content-length');
  return `${head}${length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`}\r\n\r\n`;
}

function bodyOf(request: IncomingRequest): RequestBody | undefined {
  if (!mayHaveBody(request)) return undefined;
  const length = getHeader(request.headers, 'content-length');
  return {
    source: request.body,
    length: length === undefined ? undefined : Number(length),
    trailers: () => request.trailers ?? [],
  };
}
