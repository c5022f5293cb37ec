import { Readable } from 'node:stream';
import { errorResponse } from '../../http/error-response.js';
import { GatewayError } from '../../http/gateway-error.js';
import type { Handler } from '../../http/handler.js';
import { getHeader } from '../../http/headers.js';
import type { HeaderPair, HttpResponse, IncomingRequest } from '../../http/messages.js';
import { isIdempotent } from '../../http/methods.js';
import { mayHaveBody } from '../../http/request-copy.js';
import { spoolBody } from '../../http/spool.js';
import { ConnectFailure } from '../../http/upstream/client.js';
import { joinUpgrade } from '../../http/upstream/join.js';
import { NoReply } from '../../http/upstream/reply-error.js';
import type { RequestBody } from '../../http/upstream/request-body.js';
import type { UpstreamReply } from '../../http/upstream/types.js';
import { tellFailure } from '../handler-events.js';
import { createLocationMapper } from './location.js';
import { type ProxyOptions, type ProxySettings, toProxySettings } from './options.js';
import { countHops, requestHead, responseHeaders } from './request-head.js';
import { upstreamTarget } from './target.js';
import { createUpstreams, type Upstream, type Upstreams } from './upstreams.js';

export type { ProxyOptions } from './options.js';

/** Bodies up to this size are read first: they can be sent again, and go out in one piece with the head. */
const REPLAY_BYTES = 64 * 1024;

/** More often than this through ourselves is a loop. */
const MAX_HOPS = 10;

/** Answers with what other HTTP servers answer (RFC 9110, section 7.6). Throws a usage error for a bad upstream. */
export function createProxyHandler(options: ProxyOptions): Handler {
  const settings = toProxySettings(options);
  const upstreams = createUpstreams(settings, settings.onEvent);
  const forward = (request: IncomingRequest, upgrade?: string): Promise<Forwarded> =>
    forwardRequest(request, { settings, upstreams, upgrade });

  return {
    async handle(request) {
      try {
        const { reply, upstream } = await forward(request);
        return toHttpResponse(reply, upstream, settings);
      } catch (error) {
        return failed(request, error, settings);
      }
    },
    async upgrade(request, socket, head) {
      const protocol = getHeader(request.headers, 'upgrade');
      try {
        const { reply, upstream } = await forward(request, protocol);
        if (reply.upgraded === undefined) return toHttpResponse(reply, upstream, settings);
        await joinUpgrade(reply, socket, head);
        return undefined;
      } catch (error) {
        return failed(request, error, settings);
      }
    },
    async close() {
      upstreams.close();
    },
  };
}

interface Forwarding {
  readonly settings: ProxySettings;
  readonly upstreams: Upstreams;
  readonly upgrade: string | undefined;
}

interface Forwarded {
  readonly reply: UpstreamReply;
  readonly upstream: Upstream;
}

/** Sends a request to one upstream after the other, until one has answered or no other may be tried. */
async function forwardRequest(request: IncomingRequest, forwarding: Forwarding): Promise<Forwarded> {
  const { settings, upstreams } = forwarding;
  if (countHops(request) >= MAX_HOPS) throw new GatewayError(508, 'the request goes in circles');
  const body = await readBody(request);
  const isWhole = body === undefined || Buffer.isBuffer(body);
  const isReplayable = isWhole && isIdempotent(request.method);
  const tried = new Set<Upstream>();
  let problem: GatewayError | undefined;
  while (tried.size <= settings.retries) {
    const upstream = upstreams.choose(request, tried);
    if (upstream === undefined) break;
    tried.add(upstream);
    const sentAt = performance.now();
    request.note?.({ upstream: upstream.name });
    try {
      const reply = await sendTo(upstream, request, body, { ...forwarding, isReplayable });
      upstreams.succeeded(upstream);
      request.note?.({ upstreamMs: performance.now() - sentAt });
      return { reply, upstream };
    } catch (error) {
      if (request.signal.aborted || !(error instanceof GatewayError)) throw error;
      problem = new GatewayError(error.status as 502, `${upstream.name}: ${error.message}`, error);
      upstreams.failed(upstream, error.message);
      // Never sent, or never seen and harmless to send again: another one may answer.
      const mayRetry = error instanceof ConnectFailure || (error instanceof NoReply && isReplayable);
      if (!mayRetry) break;
    }
  }
  throw problem ?? new GatewayError(503, 'no upstream is available');
}

/** The content: none, all of it when it is small, or the stream it is. */
async function readBody(request: IncomingRequest): Promise<RequestBody | undefined> {
  if (!mayHaveBody(request)) return undefined;
  const announced = getHeader(request.headers, 'content-length');
  const length = announced === undefined ? undefined : Number(announced);
  if (length !== undefined && length <= REPLAY_BYTES) {
    const { bytes } = await spoolBody(request.body, { memoryBytes: REPLAY_BYTES, signal: request.signal });
    if (bytes?.byteLength !== length) throw new GatewayError(502, 'the client broke off its request');
    return bytes;
  }
  return { source: request.body, length, trailers: () => request.trailers ?? [] };
}

interface SendingOptions extends Forwarding {
  readonly isReplayable: boolean;
}

function sendTo(
  upstream: Upstream,
  request: IncomingRequest,
  body: RequestBody | undefined,
  { settings, upgrade, isReplayable }: SendingOptions,
): Promise<UpstreamReply> {
  const { url, client } = upstream;
  const { prefix, upstreamHost, isTrusted } = settings;
  const target = upstreamTarget(request, url.basePath, settings);
  if (target === undefined) throw new GatewayError(502, 'the rewritten target cannot be sent');
  const head = requestHead(request, {
    target,
    host: upstreamHost === true ? url.authority : upstreamHost,
    authority: url.authority,
    isTrusted,
    cutPrefix: url.basePath === undefined ? '' : prefix,
    content:
      body === undefined ? undefined : Buffer.isBuffer(body) ? body.byteLength : (body.length ?? 'chunked'),
    upgrade,
  });
  const onInterim = (status: number, headers: readonly HeaderPair[]): void => {
    if (status === 103) request.earlyHints?.(responseHeaders(headers, (location) => location));
  };
  const message = { method: request.method, head, body, mayUpgrade: upgrade !== undefined, onInterim };
  return client.send(message, { signal: request.signal, isReplayable });
}

function toHttpResponse(reply: UpstreamReply, { url }: Upstream, settings: ProxySettings): HttpResponse {
  const { status, reason, headers } = reply.head;
  const mapLocation = createLocationMapper(url, settings);
  const response = { status, reason, headers: responseHeaders(headers, mapLocation) };
  const { body } = reply;
  if (body === undefined) return response;
  if (!Buffer.isBuffer(body)) return { ...response, body, trailers: reply.trailers };
  if (reply.trailers().length === 0) return { ...response, body };
  // Trailers follow content whose length nobody announced.
  return { ...response, body: Readable.from([body]), trailers: reply.trailers };
}

function failed(request: IncomingRequest, error: unknown, { onEvent }: ProxySettings): HttpResponse {
  if (!(error instanceof GatewayError)) throw error;
  tellFailure(onEvent, 'proxy', request, error);
  return errorResponse(error.status, request.headers);
}
