import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { isWildcard, normalizeAddress, reachableUrls } from '../net/address.js';
import { closeListener, listen } from '../net/listener.js';
import { errorResponse } from './error-response.js';
import type { Handler } from './handler.js';
import { getAllHeaders, getHeader } from './headers.js';
import type { HeaderList, HeaderPair, HttpResponse, IncomingRequest } from './messages.js';
import { refuseConnection, type SentResponse, sendResponse } from './send-response.js';
import type { RequestEvent, RunningServer, ServeOptions } from './server-types.js';
import { type ParsedTarget, parseTarget } from './target.js';

const DEFAULT_GRACE_MS = 10_000;

/** How long answers whose connection is gone may take to notice. */
const ABANDON_MS = 1000;

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 15_000,
  // An upload may take its time.
  requestTimeout: 0,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 5000,
  optimizeEmptyRequests: true,
};

/** Answers requests with a handler until it is stopped; then running answers are finished and `handler` is closed. */
export async function serveHttp(handler: Handler, options: ServeOptions): Promise<RunningServer> {
  const { signal, onEvent, graceMs = DEFAULT_GRACE_MS } = options;
  const server = createServer(LIMITS);
  const stopping = new AbortController();
  const connections = trackConnections(server, stopping.signal);
  let requests = 0;
  server.on('request', (req, res) => {
    connections.enqueue(req.socket, async () => {
      const event = await answer(req, res, handler, stopping.signal);
      requests += 1;
      onEvent(event);
    });
  });
  refuseNonsense(server, connections);
  const bound = await listen(server, options).catch(async (error: unknown) => {
    await handler.close?.();
    throw error;
  });
  const urls = reachableUrls('http', isWildcard(bound.host) ? bound.host : options.host, bound.port);
  const url = urls[0] as string;
  onEvent({ type: 'listening', url, urls, ...bound });

  const drain = async (): Promise<void> => {
    connections.endIdle();
    await closeListener(server, connections.open, graceMs);
    await connections.settled();
    await handler.close?.();
    onEvent({ type: 'closed', requests });
  };
  const closed = new Promise<void>((resolve, reject) => {
    stopping.signal.addEventListener('abort', () => drain().then(resolve, reject));
  });
  const stop = (): void => stopping.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const close = (): Promise<void> => {
    stop();
    return closed;
  };
  return { url, ...bound, closed, close };
}

/** Every open connection; each answers one request at a time, in the order they came. */
function trackConnections(server: Server, stopping: AbortSignal) {
  const open = new Set<Socket>();
  const turns = new Map<Socket, Promise<void>>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  return {
    open,
    enqueue(socket: Socket, work: () => Promise<void>): void {
      const turn = (turns.get(socket) ?? Promise.resolve()).then(async () => {
        if (!socket.destroyed) await work();
        if (turns.get(socket) !== turn) return;
        turns.delete(socket);
        // Its last answer may have promised to keep the connection.
        if (stopping.aborted) socket.destroySoon();
      });
      turns.set(socket, turn);
    },
    endIdle(): void {
      for (const socket of open) if (!turns.has(socket)) socket.destroy();
    },
    /** Resolves when every answer is over; a handler that ignores its request's signal is not waited for. */
    async settled(): Promise<void> {
      await Promise.race([Promise.all(turns.values()), delay(ABANDON_MS, undefined, { ref: false })]);
    },
  };
}

/** Answers what node's parser gives up on, and CONNECT, which it would drop without a word; earlier requests first. */
function refuseNonsense(server: Server, connections: ReturnType<typeof trackConnections>): void {
  const refuse = (socket: Socket, status: number): void =>
    connections.enqueue(socket, async () => refuseConnection(socket, status));
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket: Socket) => {
    refuse(socket, code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400);
  });
  server.on('connect', (_req, socket: Socket) => refuse(socket, 405));
}

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  handler: Handler,
  stopping: AbortSignal,
): Promise<RequestEvent> {
  const startedMs = performance.now();
  const time = new Date().toISOString();
  // Asked for now: a connection that is gone no longer knows them.
  const peer = {
    remoteAddress: normalizeAddress(req.socket.remoteAddress ?? ''),
    remotePort: req.socket.remotePort ?? 0,
  };
  const headers = toHeaderList(req.rawHeaders);
  const { response, error } = await respond(req, res, headers, handler);
  const sent: SentResponse = await sendResponse(res, response, {
    requestHeaders: headers,
    lastAnswer: stopping.aborted,
  });
  const reason = error ?? sent.error;
  return {
    type: 'request',
    time,
    method: req.method ?? '',
    target: req.url ?? '',
    httpVersion: req.httpVersion,
    status: sent.status,
    bytes: sent.bytes,
    durationMs: Math.round((performance.now() - startedMs) * 1000) / 1000,
    ...peer,
    userAgent: getHeader(headers, 'user-agent') ?? null,
    referer: getHeader(headers, 'referer') ?? null,
    ...(sent.aborted && { aborted: true }),
    ...(reason !== undefined && { error: reason instanceof Error ? reason.message : String(reason) }),
  };
}

/** The handler's answer, or the one to a request it never sees or failed at. */
async function respond(
  req: IncomingMessage,
  res: ServerResponse,
  headers: HeaderList,
  handler: Handler,
): Promise<{ response: HttpResponse; error?: unknown }> {
  const target = parseTarget(req.url ?? '');
  // Two Host fields could mean one site to us and another to whoever stands before us (RFC 9112, section 3.2).
  const isClear = target !== undefined && getAllHeaders(headers, 'host').length <= 1;
  if (!isClear || (req.url === '*' && req.method !== 'OPTIONS')) {
    return { response: errorResponse(400, headers) };
  }
  try {
    return { response: await handler.handle(toIncomingRequest(req, res, headers, target)) };
  } catch (error) {
    return { response: errorResponse(500, headers), error };
  }
}

function toIncomingRequest(
  req: IncomingMessage,
  res: ServerResponse,
  headers: HeaderList,
  target: ParsedTarget,
): IncomingRequest {
  const left = new AbortController();
  res.on('close', () => {
    if (!res.writableFinished) left.abort();
  });
  return {
    method: req.method ?? '',
    target: req.url ?? '',
    ...target,
    httpVersion: req.httpVersion === '1.0' ? '1.0' : '1.1',
    scheme: 'http',
    headers,
    body: req,
    remoteAddress: normalizeAddress(req.socket.remoteAddress ?? ''),
    remotePort: req.socket.remotePort ?? 0,
    localAddress: normalizeAddress(req.socket.localAddress ?? ''),
    localPort: req.socket.localPort ?? 0,
    signal: left.signal,
  };
}

function toHeaderList(raw: readonly string[]): HeaderList {
  const pairs: HeaderPair[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    pairs.push([raw[index] as string, raw[index + 1] as string]);
  }
  return pairs;
}
